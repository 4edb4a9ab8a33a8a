@{
    RootModule           = 'VDiskKit.psm1'
    ModuleVersion        = '0.1.0'
    GUID                 = '5f0c3f0e-7d0b-4c55-9a2e-6f1f6d1f3c80'
    Author               = 'The vdiskkit authors'
    CompanyName          = 'The vdiskkit authors'
    Copyright            = '(c) The vdiskkit authors. Licensed under AGPL-3.0-or-later.'
    Description          = 'Inspect, judge and change Citrix Provisioning (PVS) vDisks without mounting them: vdiskkit as PowerShell commands.'
    PowerShellVersion    = '5.1'
    CompatiblePSEditions = @('Desktop', 'Core')
    FunctionsToExport    = @(
        'Get-VDisk'
        'Test-VDisk'
        'Get-VDiskRegistryValue'
        'Set-VDiskRegistryValue'
        'Initialize-VDiskKms'
        'Undo-VDiskChange'
    )
    CmdletsToExport      = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
    FileList             = @(
        'CommandLines.psd1'
        'VDiskKit.psd1'
        'VDiskKit.psm1'
        'Private\Arguments.ps1'
        'Private\Change.ps1'
        'Private\Errors.ps1'
        'Private\Lines.ps1'
        'Private\Paths.ps1'
        'Private\Program.ps1'
        'Public\Get-VDisk.ps1'
        'Public\Get-VDiskRegistryValue.ps1'
        'Public\Initialize-VDiskKms.ps1'
        'Public\Set-VDiskRegistryValue.ps1'
        'Public\Test-VDisk.ps1'
        'Public\Undo-VDiskChange.ps1'
    )
    PrivateData          = @{
        PSData = @{
            Tags = @('Citrix', 'PVS', 'Provisioning', 'vDisk', 'VHD', 'VHDX', 'KMS')
        }
    }
}
