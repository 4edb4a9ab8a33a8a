function Test-VDisk {
    <#
    .SYNOPSIS
        Judges whether a vDisk is fit to be copied to other PVS servers.

    .DESCRIPTION
        Runs the rules of a profile over a vDisk, as the gate before it is copied. Returns one object a disk: Fit says
        the outcome, Findings what was found, NotDeterminable what the image does not show. Nothing is changed.

        A disk that cannot be judged gives an error and no object, with -Quiet an error and $false: it is never fit.

    .PARAMETER Path
        The disk: a .vhd, .vhdx, .avhd or .avhdx file, or its .pvp file. Wildcards stand for what they match;
        a name that exists as it stands, such as desk[1].vhdx, is taken as it is.

    .PARAMETER LiteralPath
        The disk, with no character taken for a wildcard. Files from Get-ChildItem arrive here.

    .PARAMETER ProfileName
        A built-in profile (kms-standard, private-build, mak, no-licensing, integrity-only) or a TOML file. Without it
        the variable VDISKKIT_PROFILE, a vdiskkit.toml in or above the current folder, or the licence mode decides.

    .PARAMETER Select
        Only rules whose codes begin so, instead of the profile's choice.

    .PARAMETER Ignore
        Not the rules whose codes begin so.

    .PARAMETER FailOn
        From which severity on a disk is not fit: error, warning or note. The profile decides otherwise.

    .PARAMETER StrictUnknown
        Take what is not determinable for an error.

    .PARAMETER Deep
        Also read what costs more than a glance.

    .PARAMETER At
        A version number, latest or base: read that version of the vDisk instead of the file that is named.

    .PARAMETER ParentFolder
        Folders in which parents of differencing disks are looked for as well.

    .PARAMETER Quiet
        Return only $true or $false.

    .EXAMPLE
        Get-ChildItem -Path D:\Store\*.vhdx | Test-VDisk

        Every vDisk of a store, judged by the profile that fits its licence mode.

    .EXAMPLE
        (Test-VDisk -Path D:\Store\win10.vhdx -ProfileName kms-standard).Findings | Format-List

        What is wrong with one vDisk, why, and how to mend it.

    .EXAMPLE
        if (-not (Test-VDisk -Path D:\Store\win10.vhdx -Quiet)) { throw 'not fit to be copied' }

        The gate of a script.

    .INPUTS
        System.String. Paths of disks; files from Get-ChildItem; objects from Get-VDisk.

    .OUTPUTS
        VDiskKit.Validation, with -Quiet System.Boolean
    #>
    [CmdletBinding(DefaultParameterSetName = 'Path')]
    [OutputType('VDiskKit.Validation')]
    [OutputType([bool])]
    param(
        [Parameter(Mandatory = $true, Position = 0, ParameterSetName = 'Path', ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)]
        [ValidateNotNullOrEmpty()]
        [string[]] $Path,

        [Parameter(Mandatory = $true, ParameterSetName = 'LiteralPath', ValueFromPipelineByPropertyName = $true)]
        [Alias('PSPath', 'FullName')]
        [ValidateNotNullOrEmpty()]
        [string[]] $LiteralPath,

        [Alias('Profile')]
        [string] $ProfileName,

        [string[]] $Select,

        [string[]] $Ignore,

        [ValidateSet('error', 'warning', 'note')]
        [string] $FailOn,

        [switch] $StrictUnknown,

        [switch] $Deep,

        [string] $At,

        [string[]] $ParentFolder,

        [switch] $Quiet
    )

    begin {
        $number = 0
    }
    process {
        $disks = @(Resolve-VDiskPath -Cmdlet $PSCmdlet -Path $Path -LiteralPath $LiteralPath)
        $folders = @(Resolve-VDiskPath -Cmdlet $PSCmdlet -LiteralPath $ParentFolder)
        foreach ($disk in $disks) {
            $number++
            Show-VDiskProgress -Activity 'Judging vDisks' -Number $number -Of $disks.Count -Path $disk
            $values = @{
                Path          = $disk
                Select        = $Select
                Ignore        = $Ignore
                StrictUnknown = $StrictUnknown
                Deep          = $Deep
                ParentFolder  = $folders
            }
            if ($ProfileName) { $values['ProfileName'] = $ProfileName }
            if ($FailOn) { $values['FailOn'] = $FailOn.ToLowerInvariant() }
            if ($At) { $values['At'] = $At }
            $lines = @(Invoke-VDiskKit -Cmdlet $PSCmdlet -Name 'Validate' -Values $values)
            $line = $lines[-1]
            if ($line.Type -eq 'error') {
                if ($Quiet) { $false }
                Write-VDiskError -Cmdlet $PSCmdlet -Line $line -Path $disk
            }
            elseif ($Quiet) { -not $line.Failed }
            else { New-VDiskValidation -Path $disk -Lines $lines }
        }
    }
    end {
        if ($number -gt 1) { Write-Progress -Activity 'Judging vDisks' -Completed }
    }
}
