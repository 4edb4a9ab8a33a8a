function Get-VDiskProgram {
    # How vdiskkit is started here: the file, and the arguments before its own.
    # Looked for in this order: the variable VDISKKIT, vdiskkit.exe beside the module, vdiskkit on the PATH, Python.
    param(
        [Parameter(Mandatory = $true)] $Cmdlet
    )

    $setting = [string] $env:VDISKKIT
    if ($null -ne $script:Program -and $script:Program.Setting -eq $setting) { return $script:Program }
    $found = $null
    if ($setting) {
        if (-not (Test-Path -LiteralPath $setting -PathType Leaf)) {
            $record = New-VDiskError -Id 'ProgramNotFound' -ExitCode 1 -Message "the variable VDISKKIT names $setting, and there is no such file" -Hint 'set it to the path of vdiskkit.exe or vdiskkit.pyz, or remove it' -Target $setting
            $Cmdlet.ThrowTerminatingError($record)
        }
        $full = (Resolve-Path -LiteralPath $setting).ProviderPath
        if (Test-BatchFile -Path $full) {
            $record = New-VDiskError -Id 'ProgramNotFound' -ExitCode 2 -Message "the variable VDISKKIT names the batch file $full, whose arguments cmd.exe would read by its own rules" -Hint 'name vdiskkit.exe or vdiskkit.pyz' -Target $full
            $Cmdlet.ThrowTerminatingError($record)
        }
        if ([System.IO.Path]::GetExtension($full) -ne '.pyz') {
            $found = New-VDiskProgram -File $full -Before @()
        }
        else {
            $found = Find-Python -Cmdlet $Cmdlet -Before @($full)
        }
        if ($null -eq $found) {
            $record = New-VDiskError -Id 'ProgramNotFound' -ExitCode 1 -Message "the variable VDISKKIT names $full, and no Python that runs it was found as py or python" -Hint 'install Python 3.11 or later, or use vdiskkit.exe' -Target $full
            $Cmdlet.ThrowTerminatingError($record)
        }
    }
    else {
        $found = Find-VDiskKit -Cmdlet $Cmdlet
    }
    if ($null -eq $found) {
        $record = New-VDiskError -Id 'ProgramNotFound' -ExitCode 1 -Message 'vdiskkit was not found: not beside the module, not on the PATH, and in no Python that py or python starts' -Hint 'install it with "pip install vdiskkit", or set the variable VDISKKIT to the path of vdiskkit.exe or vdiskkit.pyz' -Target 'vdiskkit'
        $Cmdlet.ThrowTerminatingError($record)
    }
    $script:Program = $found
    $found
}

function New-VDiskProgram {
    param(
        [Parameter(Mandatory = $true)][string] $File,
        [AllowEmptyCollection()][string[]] $Before
    )

    [pscustomobject] @{ Setting = [string] $env:VDISKKIT; File = $File; Before = $Before }
}

function Test-BatchFile {
    # Whether cmd.exe would read the arguments, by other rules than those by which they are quoted here.
    param(
        [Parameter(Mandatory = $true)][string] $Path
    )

    $Path -match '\.(cmd|bat)\z'
}

function Find-VDiskKit {
    param(
        [Parameter(Mandatory = $true)] $Cmdlet
    )

    foreach ($folder in @($script:ModuleFolder, (Split-Path -Path $script:ModuleFolder -Parent))) {
        $beside = Join-Path $folder 'vdiskkit.exe'
        if (Test-Path -LiteralPath $beside -PathType Leaf) { return New-VDiskProgram -File $beside -Before @() }
    }
    foreach ($application in @(Get-Command -Name 'vdiskkit' -CommandType Application -ErrorAction SilentlyContinue)) {
        if (-not (Test-BatchFile -Path $application.Path)) { return New-VDiskProgram -File $application.Path -Before @() }
    }
    Find-Python -Cmdlet $Cmdlet -Before @('-m', 'vdiskkit')
}

function Find-Python {
    # The first Python that starts vdiskkit. What is called python may be a stub that only opens a shop: it is tried.
    param(
        [Parameter(Mandatory = $true)] $Cmdlet,
        [Parameter(Mandatory = $true)][string[]] $Before
    )

    foreach ($name in @('py', 'python', 'python3')) {
        $first = @()
        if ($name -eq 'py') { $first = @('-3') }
        $applications = @(Get-Command -Name $name -CommandType Application -ErrorAction SilentlyContinue)
        foreach ($application in $applications) {
            $program = New-VDiskProgram -File $application.Path -Before ($first + $Before)
            $ran = Start-VDiskKit -Cmdlet $Cmdlet -Program $program -Arguments @(Get-CommandLine -Name 'Version') -Trying
            if ($null -ne $ran -and $ran.ExitCode -eq 0 -and $ran.Output -match '^vdiskkit \d') { return $program }
        }
    }
}

function Start-VDiskKit {
    # Run the program to its end. Its streams are read as UTF-8 and never through the pipeline of PowerShell, where
    # Windows PowerShell would make an error record of each line of stderr and the console's code page would decide.
    # The program is never killed: a change that was begun is brought to an end, Ctrl-C reaches the program itself.
    param(
        [Parameter(Mandatory = $true)] $Cmdlet,
        [Parameter(Mandatory = $true)] $Program,
        [Parameter(Mandatory = $true)][AllowEmptyCollection()][AllowEmptyString()][string[]] $Arguments,
        [switch] $Trying
    )

    $quoted = @(foreach ($argument in (@($Program.Before) + $Arguments)) { ConvertTo-NativeArgument -Argument $argument })
    $utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
    $info = New-Object -TypeName System.Diagnostics.ProcessStartInfo
    $info.FileName = $Program.File
    $info.Arguments = $quoted -join ' '
    $info.UseShellExecute = $false
    $info.CreateNoWindow = $Host.Name -ne 'ConsoleHost'
    $info.WorkingDirectory = (Get-Location -PSProvider FileSystem).ProviderPath
    $info.RedirectStandardInput = $true
    $info.RedirectStandardOutput = $true
    $info.RedirectStandardError = $true
    $info.StandardOutputEncoding = $utf8
    $info.StandardErrorEncoding = $utf8
    # Variables that set options would change what the parameters of a command say. The profile is no parameter's.
    foreach ($name in @($info.EnvironmentVariables.Keys)) {
        if ($name -like 'VDISKKIT_*' -and $name -ne 'VDISKKIT_PROFILE') { $info.EnvironmentVariables.Remove($name) }
    }
    $info.EnvironmentVariables['PYTHONIOENCODING'] = 'utf-8'

    $process = New-Object -TypeName System.Diagnostics.Process
    $process.StartInfo = $info
    try {
        [void] $process.Start()
    }
    catch {
        $process.Dispose()
        if ($Trying) { return }
        $record = New-VDiskError -Id 'ProgramNotStarted' -ExitCode 9 -Message ('{0} could not be started: {1}' -f $Program.File, $_.Exception.GetBaseException().Message) -Hint 'set the variable VDISKKIT to the path of vdiskkit.exe or vdiskkit.pyz' -Target $Program.File
        $Cmdlet.ThrowTerminatingError($record)
    }
    try {
        $process.StandardInput.Close()
        $output = $process.StandardOutput.ReadToEndAsync()
        $errors = $process.StandardError.ReadToEndAsync()
        while (-not $process.WaitForExit(100)) { }
        [pscustomobject] @{ ExitCode = $process.ExitCode; Output = $output.Result; Errors = $errors.Result }
    }
    finally {
        if (-not $process.HasExited) { $process.WaitForExit() }
        $process.Dispose()
    }
}

function Invoke-VDiskKit {
    # Run one command line for one disk. Returns the lines of its answer as objects; the last one tells the outcome.
    param(
        [Parameter(Mandatory = $true)] $Cmdlet,
        [Parameter(Mandatory = $true)][string] $Name,
        [Parameter(Mandatory = $true)][hashtable] $Values
    )

    $program = Get-VDiskProgram -Cmdlet $Cmdlet
    $all = @{ Verbosity = '-q' }
    if ($VerbosePreference -ne 'SilentlyContinue') { $all['Verbosity'] = '-v' }
    foreach ($key in $Values.Keys) { $all[$key] = $Values[$key] }
    $arguments = @(Get-CommandLine -Name $Name -Values $all)
    $ran = Start-VDiskKit -Cmdlet $Cmdlet -Program $program -Arguments $arguments
    foreach ($text in ($ran.Errors -split '\r?\n')) {
        if ($text) { Write-Verbose -Message $text }
    }
    $last = ''
    try {
        $lines = @(foreach ($text in ($ran.Output -split '\r?\n')) { if ($text) { ConvertFrom-VDiskLine -Text $text } })
        if ($lines.Count -gt 0) { $last = [string] $lines[-1].Type }
    }
    catch {
        # What could not be read is no answer, whatever the exit code says.
        $last = ''
    }
    $isAnswer = $last -eq 'error' -or ($last -and $ran.ExitCode -eq 0) -or ($last -eq 'report' -and $ran.ExitCode -eq 1)
    if (-not $isAnswer) {
        # Not what vdiskkit answers: an older version, another program, or one that was ended from outside.
        $message = '{0} ended with exit code {1} and gave no answer that this module understands. {2}' -f $program.File, $ran.ExitCode, $ran.Errors.Trim()
        $record = New-VDiskError -Id 'AnswerNotUnderstood' -ExitCode 9 -Message $message -Hint 'use the module that came with this version of vdiskkit' -Target $program.File
        $Cmdlet.ThrowTerminatingError($record)
    }
    $lines
}
