function Set-VDiskRegistryValue {
    <#
    .SYNOPSIS
        Sets one value in the registry inside a vDisk.

    .DESCRIPTION
        Plans the change, shows the plan, asks, and carries out exactly that plan, in one transaction that
        Undo-VDiskChange takes back to the byte. -WhatIf shows the plan and writes nothing. What is so already is not
        written. A vDisk that is locked, in Standard mode, has children, or was not shut down cleanly is refused.

    .PARAMETER Path
        The disk: a .vhd, .vhdx, .avhd or .avhdx file, or its .pvp file. Wildcards stand for what they match;
        a name that exists as it stands, such as desk[1].vhdx, is taken as it is.

    .PARAMETER LiteralPath
        The disk, with no character taken for a wildcard. Files from Get-ChildItem arrive here.

    .PARAMETER Key
        The key, such as HKLM:\SOFTWARE\Example.

    .PARAMETER Name
        The value. An empty text or (default) means the default value of the key.

    .PARAMETER Value
        The data: a number, a text, texts for MultiString, bytes or hexadecimal digits for Binary and None.

    .PARAMETER Type
        The registry type: DWord, QWord, String, ExpandString, MultiString, Binary or None.

    .PARAMETER CreateKey
        Create the key, and those above it, when it does not exist.

    .PARAMETER Force
        Gates that you have judged and pass, by name: lok (a stale lock file), standard-mode (a copy in Standard mode
        that no server uses), mode (the write cache type). It does not stop the question: -Confirm:$false does.

    .PARAMETER ParentFolder
        Folders in which parents of differencing disks are looked for as well.

    .PARAMETER PassThru
        Return what was done as an object, also when everything was so already.

    .EXAMPLE
        Set-VDiskRegistryValue -Path D:\Store\win10.vhdx -Key HKLM:\SOFTWARE\Example -Name Start -Value 4 -Type DWord -WhatIf

        Shows what would be done, and writes nothing.

    .EXAMPLE
        Set-VDiskRegistryValue -Path D:\Store\win10.vhdx -Key HKLM:\SOFTWARE\Example -Name List -Value 'one', 'two' -Type MultiString -CreateKey -Confirm:$false

        Sets a value without a question, as scripts do.

    .INPUTS
        System.String. Paths of disks; files from Get-ChildItem; objects from Get-VDisk.

    .OUTPUTS
        None, with -PassThru VDiskKit.Change
    #>
    [CmdletBinding(DefaultParameterSetName = 'Path', SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    [OutputType('VDiskKit.Change')]
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

        [Parameter(Mandatory = $true, Position = 2)]
        [AllowEmptyString()]
        [string] $Name,

        [Parameter(Mandatory = $true, Position = 3)]
        [AllowNull()]
        [AllowEmptyString()]
        [AllowEmptyCollection()]
        [object[]] $Value,

        [Parameter(Mandatory = $true)]
        [ValidateSet('DWord', 'QWord', 'String', 'ExpandString', 'MultiString', 'Binary', 'None')]
        [string] $Type,

        [switch] $CreateKey,

        [ValidateSet('lok', 'standard-mode', 'mode')]
        [string[]] $Force,

        [string[]] $ParentFolder,

        [switch] $PassThru
    )

    begin {
        $number = 0
    }
    process {
        $disks = @(Resolve-VDiskPath -Cmdlet $PSCmdlet -Path $Path -LiteralPath $LiteralPath)
        $folders = @(Resolve-VDiskPath -Cmdlet $PSCmdlet -LiteralPath $ParentFolder)
        foreach ($disk in $disks) {
            $number++
            Show-VDiskProgress -Activity 'Changing vDisks' -Number $number -Of $disks.Count -Path $disk
            $values = @{
                Path         = $disk
                Key          = $Key
                Name         = (ConvertTo-ValueName -Name $Name)
                Value        = @(ConvertTo-RegistryText -Type $Type -Value $Value)
                Type         = $script:Data.Types[$Type]
                CreateKey    = $CreateKey
                Force        = $Force
                ParentFolder = $folders
            }
            Invoke-VDiskChange -Cmdlet $PSCmdlet -Name 'SetValue' -Values $values -PassThru:$PassThru
        }
    }
    end {
        if ($number -gt 1) { Write-Progress -Activity 'Changing vDisks' -Completed }
    }
}
