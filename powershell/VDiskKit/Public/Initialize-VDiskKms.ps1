function Initialize-VDiskKms {
    <#
    .SYNOPSIS
        Sets what the preparation of a vDisk for KMS asks for.

    .DESCRIPTION
        Sets SkipRearm, KMS host and KMS port, and removes token stores, in the files themselves and in one transaction
        that Undo-VDiskChange takes back to the byte. What is not named is left as it is. The plan is shown, a question
        asked, and exactly that plan carried out; -WhatIf shows it and writes nothing.

        The steps that only the running Windows can do (slmgr /rilc, /ipk) are not done; the plan says which.

    .PARAMETER Path
        The disk: a .vhd, .vhdx, .avhd or .avhdx file, or its .pvp file. Wildcards stand for what they match;
        a name that exists as it stands, such as desk[1].vhdx, is taken as it is.

    .PARAMETER LiteralPath
        The disk, with no character taken for a wildcard. Files from Get-ChildItem arrive here.

    .PARAMETER SkipRearm
        The SkipRearm value: 0, 1 or absent.

    .PARAMETER KmsHost
        The KMS host; absent: it is found by DNS.

    .PARAMETER KmsPort
        Its TCP port; absent: 1688.

    .PARAMETER RemoveToken
        Remove tokens.dat and cache.dat of every Windows token store.

    .PARAMETER Office
        Include Office: the host for its services, and its own token store.

    .PARAMETER Force
        Gates that you have judged and pass, by name: lok (a stale lock file), standard-mode (a copy in Standard mode
        that no server uses), mode (the write cache type). It does not stop the question: -Confirm:$false does.

    .PARAMETER ParentFolder
        Folders in which parents of differencing disks are looked for as well.

    .PARAMETER PassThru
        Return what was done as an object, also when everything was so already.

    .EXAMPLE
        Initialize-VDiskKms -Path D:\Store\win10.vhdx -SkipRearm 0 -RemoveToken -WhatIf

        Shows what would be done, and writes nothing.

    .EXAMPLE
        $change = Initialize-VDiskKms -Path D:\Store\win10.vhdx -SkipRearm 0 -KmsHost kms.example.com -Confirm:$false -PassThru

        Prepares a vDisk without a question, and keeps what was done.

    .EXAMPLE
        Get-ChildItem -Path D:\Build\*.vhdx | Initialize-VDiskKms -SkipRearm 0 -RemoveToken

        Several vDisks, with a question for each.

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

        [ValidateSet('0', '1', 'absent')]
        [string] $SkipRearm,

        [string] $KmsHost,

        [string] $KmsPort,

        [switch] $RemoveToken,

        [switch] $Office,

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
            $values = @{ Path = $disk; RemoveToken = $RemoveToken; Office = $Office; Force = $Force; ParentFolder = $folders }
            if ($SkipRearm) { $values['SkipRearm'] = $SkipRearm.ToLowerInvariant() }
            if ($PSBoundParameters.ContainsKey('KmsHost')) { $values['KmsHost'] = $KmsHost }
            if ($PSBoundParameters.ContainsKey('KmsPort')) { $values['KmsPort'] = $KmsPort }
            Invoke-VDiskChange -Cmdlet $PSCmdlet -Name 'PrepareKms' -Values $values -PassThru:$PassThru
        }
    }
    end {
        if ($number -gt 1) { Write-Progress -Activity 'Changing vDisks' -Completed }
    }
}
