function Resolve-VDiskPath {
    # Full paths of the file system. A path that exists as it stands is never taken for a pattern,
    # so desk[1].vhdx means that file; other paths with wildcards stand for what they match.
    param(
        [Parameter(Mandatory = $true)] $Cmdlet,
        [AllowNull()][string[]] $Path,
        [AllowNull()][string[]] $LiteralPath
    )

    foreach ($item in $LiteralPath) {
        Get-FullPath -Cmdlet $Cmdlet -Path $item
    }
    foreach ($item in $Path) {
        $isPattern = [System.Management.Automation.WildcardPattern]::ContainsWildcardCharacters($item)
        if (-not $isPattern -or (Test-Path -LiteralPath $item)) {
            Get-FullPath -Cmdlet $Cmdlet -Path $item
            continue
        }
        $found = @(Resolve-Path -Path $item -ErrorAction SilentlyContinue)
        if ($found.Count -eq 0) {
            $record = New-VDiskError -Id 'PathNotFound' -ExitCode 1 -Message "no file matches $item" -Hint 'look with Get-ChildItem at what is there' -Target $item
            $Cmdlet.WriteError($record)
        }
        foreach ($match in $found) {
            Get-FullPath -Cmdlet $Cmdlet -Path $match.Path
        }
    }
}

function Get-FullPath {
    # The path as the file system has it, of a file that need not exist.
    param(
        [Parameter(Mandatory = $true)] $Cmdlet,
        [Parameter(Mandatory = $true)][string] $Path
    )

    $provider = $null
    $drive = $null
    try {
        $full = $Cmdlet.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path, [ref] $provider, [ref] $drive)
    }
    catch {
        $message = $_.Exception.GetBaseException().Message
        $record = New-VDiskError -Id 'PathInvalid' -ExitCode 2 -Message $message -Target $Path
        $Cmdlet.WriteError($record)
        return
    }
    if ($provider.Name -ne 'FileSystem') {
        $record = New-VDiskError -Id 'PathNotFile' -ExitCode 2 -Message "$Path is no path of the file system" -Hint 'name a .vhd, .vhdx or .pvp file' -Target $Path
        $Cmdlet.WriteError($record)
        return
    }
    $full
}

function Show-VDiskProgress {
    # Tell which disk is worked on, once there is more than one. Of: how many came at once; more may come by the pipeline.
    param(
        [Parameter(Mandatory = $true)][string] $Activity,
        [Parameter(Mandatory = $true)][int] $Number,
        [Parameter(Mandatory = $true)][int] $Of,
        [Parameter(Mandatory = $true)][string] $Path
    )

    if ($Of -gt 1 -and $Number -le $Of) {
        Write-Progress -Activity $Activity -Status ('{0} of {1}: {2}' -f $Number, $Of, $Path) -PercentComplete (100 * ($Number - 1) / $Of)
    }
    elseif ($Number -gt 1) {
        Write-Progress -Activity $Activity -Status ('{0}: {1}' -f $Number, $Path)
    }
}
