# The gate before a vDisk is copied. Exit code: that of vdiskkit (0 fit, 1 not fit, anything else: could not judge).
param(
    [Parameter(Mandatory = $true)][string] $Disk,
    [string] $GateProfile = 'kms-standard',
    [string] $Results = '.'
)

# A program that is not there must stop the script: it would leave no exit code, and none counts as 0.
$ErrorActionPreference = 'Stop'

# Nothing is redirected: Windows PowerShell 5.1 makes an error record of each redirected line of stderr.
vdiskkit validate "$Disk" --profile "$GateProfile" --quiet --overwrite --report "junit=$Results\vdisk-junit.xml" --report "html=$Results\vdisk.html"
$code = $LASTEXITCODE

switch ($code) {
    0 { Write-Host "fit to be copied: $Disk" }
    1 { Write-Host "NOT fit to be copied: $Disk; see $Results\vdisk.html" }
    default { Write-Host "could not be judged: $Disk (exit code $code)" }
}
exit $code
