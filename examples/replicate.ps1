# Judge a vDisk, copy it to other PVS servers with robocopy, and look at each copy.
#
# Exit codes, kept apart because robocopy calls everything below 8 a success and vdiskkit only 0:
#   0          all copies are there and sound
#   1 to 130   the gate's own code: nothing was copied
#   200 + n    robocopy failed with n (8 or more)
#   300 + n    a copy was judged with n
param(
    [Parameter(Mandatory = $true)][string] $Disk,
    [Parameter(Mandatory = $true)][string[]] $Targets,
    [string] $GateProfile = 'kms-standard'
)

# A program that is not there must stop the script: it would leave no exit code, and none counts as 0.
$ErrorActionPreference = 'Stop'

vdiskkit validate "$Disk" --profile "$GateProfile" --quiet
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }

$file = Get-Item -LiteralPath $Disk
# All versions of the vDisk and their side-cars; no lock files, and no journals of vdiskkit.
$base = $file.BaseName -replace '\.\d+$', ''
$kinds = '.vhd', '.vhdx', '.avhd', '.avhdx', '.pvp', '.xml'
$names = @(Get-ChildItem -LiteralPath $file.DirectoryName -File |
    Where-Object { $kinds -contains $_.Extension -and ($_.BaseName -replace '\.\d+$', '') -eq $base } |
    ForEach-Object { $_.Name })

foreach ($target in $Targets) {
    robocopy $file.DirectoryName $target $names /J /R:3 /W:10 /NP
    $copied = $LASTEXITCODE
    if ($copied -ge 8) { exit 200 + $copied }

    $copy = Join-Path $target $file.Name
    vdiskkit validate "$copy" --profile integrity-only --quiet
    if ($LASTEXITCODE -ne 0) { exit 300 + $LASTEXITCODE }
}
exit 0
