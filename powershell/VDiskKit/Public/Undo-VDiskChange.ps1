function Undo-VDiskChange {
    <#
    .SYNOPSIS
        Takes the newest change of a vDisk back.

    .DESCRIPTION
        Restores the exact bytes that disk and side-car had before the newest change that is kept. What that change did
        is shown, and a question asked; -WhatIf shows it and writes nothing. It is refused, with nothing touched, when
        the disk was used since.

    .PARAMETER Path
        The disk: a .vhd, .vhdx, .avhd or .avhdx file, or its .pvp file. Wildcards stand for what they match;
        a name that exists as it stands, such as desk[1].vhdx, is taken as it is.

    .PARAMETER LiteralPath
        The disk, with no character taken for a wildcard. Files from Get-ChildItem arrive here.

    .PARAMETER Id
        Id of the change, or its beginning; another one than the newest is refused. Objects that Initialize-VDiskKms
        and Set-VDiskRegistryValue return with -PassThru carry it as ChangeId.

    .PARAMETER Force
        Gates that you have judged and pass, by name: lok (a stale lock file), standard-mode (a copy in Standard mode
        that no server uses), mode (the write cache type). It does not stop the question: -Confirm:$false does.

    .PARAMETER PassThru
        Return what was taken back as an object.

    .EXAMPLE
        Undo-VDiskChange -Path D:\Store\win10.vhdx -WhatIf

        Can the newest change still be taken back?

    .EXAMPLE
        $change | Undo-VDiskChange -Confirm:$false

        Takes back what -PassThru of a changing command returned, if it still is the newest change.

    .INPUTS
        System.String. Paths of disks; files from Get-ChildItem; objects of type VDiskKit.Change.

    .OUTPUTS
        None, with -PassThru VDiskKit.Undo
    #>
    [CmdletBinding(DefaultParameterSetName = 'Path', SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    [OutputType('VDiskKit.Undo')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ParameterSetName = 'Path', ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)]
        [ValidateNotNullOrEmpty()]
        [string[]] $Path,

        [Parameter(Mandatory = $true, ParameterSetName = 'LiteralPath', ValueFromPipelineByPropertyName = $true)]
        [Alias('PSPath', 'FullName')]
        [ValidateNotNullOrEmpty()]
        [string[]] $LiteralPath,

        [Parameter(ValueFromPipelineByPropertyName = $true)]
        [Alias('ChangeId')]
        [string] $Id,

        [ValidateSet('lok', 'standard-mode', 'mode')]
        [string[]] $Force,

        [switch] $PassThru
    )

    begin {
        $number = 0
    }
    process {
        $disks = @(Resolve-VDiskPath -Cmdlet $PSCmdlet -Path $Path -LiteralPath $LiteralPath)
        foreach ($disk in $disks) {
            $number++
            Show-VDiskProgress -Activity 'Taking changes back' -Number $number -Of $disks.Count -Path $disk
            $values = @{ Path = $disk; Force = $Force }
            if ($Id) { $values['Id'] = $Id }
            $lines = @(Invoke-VDiskKit -Cmdlet $PSCmdlet -Name 'PlanUndo' -Values $values)
            $line = $lines[-1]
            if ($line.Type -ne 'error') {
                if (-not (Confirm-VDiskChange -Cmdlet $PSCmdlet -Path $disk -Lines $lines -Before 'take back: ')) { continue }
                $values['Id'] = $line.Result.ChangeId
                $line = @(Invoke-VDiskKit -Cmdlet $PSCmdlet -Name 'Undo' -Values $values)[-1]
            }
            if ($line.Type -eq 'error') { Write-VDiskError -Cmdlet $PSCmdlet -Line $line -Path $disk }
            elseif ($PassThru) { New-VDiskObject -TypeName 'VDiskKit.Undo' -Path $disk -Result $line.Result }
        }
    }
    end {
        if ($number -gt 1) { Write-Progress -Activity 'Taking changes back' -Completed }
    }
}
