function ConvertFrom-VDiskLine {
    # One JSON line as an object, with names as PowerShell writes them: skip_rearm becomes SkipRearm.
    #
    # ConvertFrom-Json of PowerShell 7 makes a date of every text that looks like one, so registry data would change
    # in passing. A mark before such texts, taken away again afterwards, keeps them as they are, in 5.1 as in 7.
    param(
        [Parameter(Mandatory = $true)][string] $Text
    )

    $marked = [regex]::Replace($Text, '([\[{:,]\s?)"(?=[0-9/]|\\u0001)', '$1"\u0001')
    ConvertTo-VDiskObject -Json (ConvertFrom-Json -InputObject $marked)
}

function ConvertTo-VDiskObject {
    param(
        [AllowNull()] $Json
    )

    if ($Json -is [string]) {
        if ($Json.Length -gt 0 -and $Json[0] -eq [char] 1) { return $Json.Substring(1) }
        return $Json
    }
    if ($Json -is [array]) {
        $items = @(foreach ($item in $Json) { ConvertTo-VDiskObject -Json $item })
        return , $items
    }
    if ($Json -isnot [System.Management.Automation.PSCustomObject]) { return $Json }
    $members = [ordered] @{}
    foreach ($property in $Json.PSObject.Properties) {
        $value = ConvertTo-VDiskObject -Json $property.Value
        if ($value -is [string] -and $script:Data.Times -contains $property.Name) { $value = ConvertTo-Utc -Text $value }
        $members[(ConvertTo-MemberName -Name $property.Name)] = $value
    }
    [pscustomobject] $members
}

function ConvertTo-MemberName {
    param(
        [Parameter(Mandatory = $true)][string] $Name
    )

    -join @(foreach ($word in $Name.Split('_')) { $word.Substring(0, 1).ToUpperInvariant() + $word.Substring(1) })
}

function ConvertTo-Utc {
    param(
        [Parameter(Mandatory = $true)][string] $Text
    )

    $styles = [System.Globalization.DateTimeStyles]::AdjustToUniversal -bor [System.Globalization.DateTimeStyles]::AssumeUniversal
    [datetime]::Parse($Text, [System.Globalization.CultureInfo]::InvariantCulture, $styles)
}

function New-VDiskObject {
    # The members of a result behind the path of its disk, as an object with a type name of its own.
    param(
        [Parameter(Mandatory = $true)][string] $TypeName,
        [Parameter(Mandatory = $true)][string] $Path,
        [Parameter(Mandatory = $true)] $Result
    )

    $members = [ordered] @{ Path = $Path }
    foreach ($property in $Result.PSObject.Properties) { $members[$property.Name] = $property.Value }
    $object = [pscustomobject] $members
    $object.PSObject.TypeNames.Insert(0, $TypeName)
    $object
}

function ConvertTo-RegistryData {
    # Registry data with the types of PowerShell.
    param(
        [Parameter(Mandatory = $true)] $Result
    )

    if ($Result.Form -eq 'hex') {
        $bytes = New-Object -TypeName byte[] -ArgumentList ($Result.Data.Length / 2)
        for ($index = 0; $index -lt $bytes.Length; $index++) {
            $bytes[$index] = [System.Convert]::ToByte($Result.Data.Substring(2 * $index, 2), 16)
        }
        return , $bytes
    }
    if ($Result.Form -eq 'list') { return , ([string[]] $Result.Data) }
    if ($Result.Form -eq 'number') {
        if ($Result.Type -eq 'REG_QWORD') { return [uint64] $Result.Data }
        return [uint32] $Result.Data
    }
    $Result.Data
}

function New-VDiskValidation {
    # The lines of one judged disk as one object.
    param(
        [Parameter(Mandatory = $true)][string] $Path,
        [Parameter(Mandatory = $true)] $Lines
    )

    $report = $Lines[-1]
    $byType = @{ finding = @(); unknown = @(); waived = @() }
    foreach ($line in $Lines) {
        if ($byType.ContainsKey($line.Type)) {
            $rest = Select-Object -InputObject $line -Property '*' -ExcludeProperty @('Type', 'Target')
            $byType[$line.Type] += New-VDiskObject -TypeName 'VDiskKit.Finding' -Path $Path -Result $rest
        }
    }
    $result = [pscustomobject] @{
        Fit             = -not $report.Failed
        ProfileName     = $report.Profile.Name
        ChosenBy        = $report.Profile.ChosenBy
        Errors          = $report.Counts.Errors
        Warnings        = $report.Counts.Warnings
        Notes           = $report.Counts.Notes
        Waived          = $report.Counts.Waived
        Unknown         = $report.Counts.Unknown
        Passed          = $report.Counts.Passed
        Rules           = $report.Counts.Rules
        Findings        = $byType['finding']
        NotDeterminable = $byType['unknown']
        WaivedFindings  = $byType['waived']
    }
    New-VDiskObject -TypeName 'VDiskKit.Validation' -Path $Path -Result $result
}
