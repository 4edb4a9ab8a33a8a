function Invoke-VDiskChange {
    # Plan a change, show the plan by ShouldProcess, and carry out that plan and no other.
    param(
        [Parameter(Mandatory = $true)] $Cmdlet,
        [Parameter(Mandatory = $true)][string] $Name,
        [Parameter(Mandatory = $true)][hashtable] $Values,
        [switch] $PassThru
    )

    $path = $Values['Path']
    $planFile = Join-Path ([System.IO.Path]::GetTempPath()) ('vdiskkit-{0}.plan' -f [guid]::NewGuid().ToString('N'))
    $Values['PlanFile'] = $planFile
    try {
        $lines = @(Invoke-VDiskKit -Cmdlet $Cmdlet -Name $Name -Values $Values)
        $outcome = $lines[-1]
        if ($outcome.Type -eq 'error') {
            Write-VDiskError -Cmdlet $Cmdlet -Line $outcome -Path $path
            return
        }
        if ($outcome.Result.Changes -eq 0) {
            Write-Verbose -Message "already so, nothing is written: $path"
            if ($PassThru) { New-VDiskObject -TypeName 'VDiskKit.Change' -Path $path -Result $outcome.Result }
            return
        }
        if (-not (Confirm-VDiskChange -Cmdlet $Cmdlet -Path $path -Lines $lines -Notes $outcome.Result.Notes)) { return }
        $apply = @{ PlanFile = $planFile; Digest = $outcome.Result.Digest; ParentFolder = $Values['ParentFolder'] }
        $lines = @(Invoke-VDiskKit -Cmdlet $Cmdlet -Name 'ApplyPlan' -Values $apply)
        $outcome = $lines[-1]
        if ($outcome.Type -eq 'error') {
            Write-VDiskError -Cmdlet $Cmdlet -Line $outcome -Path $path
            return
        }
        if ($PassThru) { New-VDiskObject -TypeName 'VDiskKit.Change' -Path $path -Result $outcome.Result }
    }
    finally {
        # A plan holds data in clear text. Not by Remove-Item: -WhatIf and -Confirm would reach it.
        [System.IO.File]::Delete($planFile)
    }
}

function Confirm-VDiskChange {
    # Whether the change is to be made: what -WhatIf shows, and what -Confirm asks.
    param(
        [Parameter(Mandatory = $true)] $Cmdlet,
        [Parameter(Mandatory = $true)][string] $Path,
        [Parameter(Mandatory = $true)] $Lines,
        [AllowNull()][AllowEmptyCollection()][string[]] $Notes,
        [string] $Before = ''
    )

    $texts = @(foreach ($line in $Lines) { if ($line.Type -eq 'change') { $Before + $line.Change.Text } })
    foreach ($note in $Notes) { $texts += "note: $note" }
    $shown = ($texts -join [System.Environment]::NewLine)
    $description = '{0}:{1}{2}' -f $Path, [System.Environment]::NewLine, $shown
    $question = '{0}{1}{1}Write this?' -f $description, [System.Environment]::NewLine
    $Cmdlet.ShouldProcess($description, $question, 'vdiskkit')
}
