# VDiskKit: vdiskkit as PowerShell commands. A thin layer: every decision is made by vdiskkit itself.
# Only constructs that Windows PowerShell 5.1 and PowerShell 7 share, and ASCII only: 5.1 reads files as ANSI.
Set-StrictMode -Version Latest

$script:ModuleFolder = $PSScriptRoot
$script:Data = Import-PowerShellDataFile -LiteralPath (Join-Path $PSScriptRoot 'CommandLines.psd1')
$script:Program = $null

. (Join-Path $PSScriptRoot 'Private\Errors.ps1')
. (Join-Path $PSScriptRoot 'Private\Arguments.ps1')
. (Join-Path $PSScriptRoot 'Private\Paths.ps1')
. (Join-Path $PSScriptRoot 'Private\Lines.ps1')
. (Join-Path $PSScriptRoot 'Private\Program.ps1')
. (Join-Path $PSScriptRoot 'Private\Change.ps1')
. (Join-Path $PSScriptRoot 'Public\Get-VDisk.ps1')
. (Join-Path $PSScriptRoot 'Public\Test-VDisk.ps1')
. (Join-Path $PSScriptRoot 'Public\Get-VDiskRegistryValue.ps1')
. (Join-Path $PSScriptRoot 'Public\Set-VDiskRegistryValue.ps1')
. (Join-Path $PSScriptRoot 'Public\Initialize-VDiskKms.ps1')
. (Join-Path $PSScriptRoot 'Public\Undo-VDiskChange.ps1')

foreach ($typeName in $script:Data.Shown.Keys) {
    Update-TypeData -TypeName $typeName -DefaultDisplayPropertySet $script:Data.Shown[$typeName] -Force
}

Export-ModuleMember -Function @(
    'Get-VDisk'
    'Test-VDisk'
    'Get-VDiskRegistryValue'
    'Set-VDiskRegistryValue'
    'Initialize-VDiskKms'
    'Undo-VDiskChange'
)
