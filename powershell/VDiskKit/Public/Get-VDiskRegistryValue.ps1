function Get-VDiskRegistryValue {
    <#
    .SYNOPSIS
        Reads one value from the registry inside a vDisk.

    .DESCRIPTION
        Reads the hive where it lies in the disk, as after the replay of its logs, and returns the value with its type
        and place. Value has the type that fits: a number, a text, texts, or bytes. Nothing is mounted or changed.

    .PARAMETER Path
        The disk: a .vhd, .vhdx, .avhd or .avhdx file, its .pvp file, or a bare hive file. Wildcards stand for what they match;
        a name that exists as it stands, such as desk[1].vhdx, is taken as it is.

    .PARAMETER LiteralPath
        The disk, with no character taken for a wildcard. Files from Get-ChildItem arrive here.

    .PARAMETER Key
        The key, such as HKLM:\SOFTWARE\Example; in a bare hive file the path from its root on.

    .PARAMETER Name
        The value. An empty text or (default) means the default value of the key.

    .PARAMETER At
        A version number, latest or base: read that version of the vDisk instead of the file that is named.

    .PARAMETER ParentFolder
        Folders in which parents of differencing disks are looked for as well.

    .EXAMPLE
        Get-VDiskRegistryValue -Path D:\Store\win10.vhdx -Key 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' -Name CurrentBuild

        The build number of the Windows inside.

    .EXAMPLE
        (Get-ChildItem -Path D:\Store\*.vhdx | Get-VDiskRegistryValue -Key HKLM:\SYSTEM\CurrentControlSet\Services\BNDevice -Name Start).Value

        The same value of every vDisk of a store.

    .INPUTS
        System.String. Paths of disks; files from Get-ChildItem; objects from Get-VDisk.

    .OUTPUTS
        VDiskKit.RegistryValue
    #>
    [CmdletBinding(DefaultParameterSetName = 'Path')]
    [OutputType('VDiskKit.RegistryValue')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ParameterSetName = 'Path', ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)]
        [ValidateNotNullOrEmpty()]
        [string[]] $Path,

        [Parameter(Mandatory = $true, ParameterSetName = 'LiteralPath', ValueFromPipelineByPropertyName = $true)]
        [Alias('PSPath', 'FullName')]
        [ValidateNotNullOrEmpty()]
        [string[]] $LiteralPath,

        [Parameter(Mandatory = $true, Position = 1)]
        [ValidateNotNullOrEmpty()]
        [string] $Key,

        [Parameter(Position = 2)]
        [AllowEmptyString()]
        [string] $Name = '',

        [string] $At,

        [string[]] $ParentFolder
    )

    begin {
        $number = 0
    }
    process {
        $disks = @(Resolve-VDiskPath -Cmdlet $PSCmdlet -Path $Path -LiteralPath $LiteralPath)
        $folders = @(Resolve-VDiskPath -Cmdlet $PSCmdlet -LiteralPath $ParentFolder)
        foreach ($disk in $disks) {
            $number++
            Show-VDiskProgress -Activity 'Reading registries' -Number $number -Of $disks.Count -Path $disk
            $values = @{ Path = $disk; Key = $Key; Name = (ConvertTo-ValueName -Name $Name); ParentFolder = $folders }
            if ($At) { $values['At'] = $At }
            $line = @(Invoke-VDiskKit -Cmdlet $PSCmdlet -Name 'GetValue' -Values $values)[-1]
            if ($line.Type -eq 'error') {
                Write-VDiskError -Cmdlet $PSCmdlet -Line $line -Path $disk
                continue
            }
            $object = New-VDiskObject -TypeName 'VDiskKit.RegistryValue' -Path $disk -Result $line.Result
            $data = ConvertTo-RegistryData -Result $line.Result
            Add-Member -InputObject $object -MemberType NoteProperty -Name 'Value' -Value $data
            $object
        }
    }
    end {
        if ($number -gt 1) { Write-Progress -Activity 'Reading registries' -Completed }
    }
}
