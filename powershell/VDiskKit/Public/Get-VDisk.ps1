function Get-VDisk {
    <#
    .SYNOPSIS
        Shows what is in a vDisk: file, versions, side-car, Windows and its licensing.

    .DESCRIPTION
        Reads a Citrix Provisioning vDisk without mounting it and returns one object a disk, with what an overview of
        many disks needs. "vdiskkit inspect --json" has everything. Nothing is changed.

        What the image does not show is $null, never a guess. Nothing says that Windows is activated: that is encrypted.

    .PARAMETER Path
        The disk: a .vhd, .vhdx, .avhd or .avhdx file, or its .pvp file. Wildcards stand for what they match;
        a name that exists as it stands, such as desk[1].vhdx, is taken as it is.

    .PARAMETER LiteralPath
        The disk, with no character taken for a wildcard. Files from Get-ChildItem arrive here.

    .PARAMETER At
        A version number, latest or base: read that version of the vDisk instead of the file that is named.

    .PARAMETER ParentFolder
        Folders in which parents of differencing disks are looked for as well.

    .PARAMETER ShowKey
        Show the product key whole; otherwise only its last five characters, unless it is a published KMS client key.

    .EXAMPLE
        Get-VDisk -Path D:\Store\win10.vhdx

        One vDisk at a glance.

    .EXAMPLE
        Get-ChildItem -Path D:\Store\*.vhdx | Get-VDisk | Where-Object { $_.Mode -eq 'private' }

        The vDisks of a store that are in Private mode.

    .EXAMPLE
        Get-VDisk -Path D:\Store\win10.vhdx | Select-Object -ExpandProperty Procedure | Format-Table -Property 'Step', 'State', 'Title'

        The eight steps that prepare a vDisk for KMS, and what the image shows of each.

    .INPUTS
        System.String. Paths of disks; files from Get-ChildItem.

    .OUTPUTS
        VDiskKit.Disk
    #>
    [CmdletBinding(DefaultParameterSetName = 'Path')]
    [OutputType('VDiskKit.Disk')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ParameterSetName = 'Path', ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)]
        [ValidateNotNullOrEmpty()]
        [string[]] $Path,

        [Parameter(Mandatory = $true, ParameterSetName = 'LiteralPath', ValueFromPipelineByPropertyName = $true)]
        [Alias('PSPath', 'FullName')]
        [ValidateNotNullOrEmpty()]
        [string[]] $LiteralPath,

        [string] $At,

        [string[]] $ParentFolder,

        [switch] $ShowKey
    )

    begin {
        $number = 0
    }
    process {
        $disks = @(Resolve-VDiskPath -Cmdlet $PSCmdlet -Path $Path -LiteralPath $LiteralPath)
        $folders = @(Resolve-VDiskPath -Cmdlet $PSCmdlet -LiteralPath $ParentFolder)
        foreach ($disk in $disks) {
            $number++
            Show-VDiskProgress -Activity 'Reading vDisks' -Number $number -Of $disks.Count -Path $disk
            $values = @{ Path = $disk; ParentFolder = $folders; ShowKey = $ShowKey }
            if ($At) { $values['At'] = $At }
            $line = @(Invoke-VDiskKit -Cmdlet $PSCmdlet -Name 'Inspect' -Values $values)[-1]
            if ($line.Type -eq 'error') { Write-VDiskError -Cmdlet $PSCmdlet -Line $line -Path $disk }
            else { New-VDiskObject -TypeName 'VDiskKit.Disk' -Path $disk -Result $line.Result }
        }
    }
    end {
        if ($number -gt 1) { Write-Progress -Activity 'Reading vDisks' -Completed }
    }
}
