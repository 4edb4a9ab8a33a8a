function Get-CommandLine {
    # The arguments of one of the command lines in CommandLines.psd1, with values in the place of names.
    # What has no value is $null, an empty list, or a switch that is off; an empty text is a value.
    param(
        [Parameter(Mandatory = $true)][string] $Name,
        [hashtable] $Values = @{}
    )

    foreach ($item in $script:Data.CommandLines[$Name]) {
        if ($item -is [hashtable]) {
            foreach ($value in @(Get-ArgumentValue -Name $item['With'] -Values $Values)) {
                foreach ($argument in $item['Arguments']) {
                    if ($argument -eq ('{' + $item['With'] + '}')) { [string] $value } else { $argument }
                }
            }
        }
        elseif ($item -match '^\{(\w+)\}$') {
            foreach ($value in @(Get-ArgumentValue -Name $Matches[1] -Values $Values)) { [string] $value }
        }
        else {
            $item
        }
    }
}

function Get-ArgumentValue {
    # The values of one name, none when it has none.
    param(
        [Parameter(Mandatory = $true)][string] $Name,
        [hashtable] $Values = @{}
    )

    foreach ($value in $Values[$Name]) {
        if ($null -eq $value) { continue }
        if (($value -is [bool] -or $value -is [switch]) -and -not $value) { continue }
        $value
    }
}

function ConvertTo-NativeArgument {
    # One argument as it has to stand in a Windows command line, by the rules of CommandLineToArgvW:
    # backslashes count only before a quote, and there each stands for itself when it is doubled.
    #   C:\a b\    becomes  "C:\a b\\"
    #   say "x"    becomes  "say \"x\""
    #   C:\x.vhd   stays as it is
    param(
        [Parameter(Mandatory = $true)][AllowEmptyString()][string] $Argument
    )

    if ($Argument -match '^[^\s"]+\z') { return $Argument }
    $escaped = [regex]::Replace($Argument, '(\\*)"', '$1$1\"')
    $escaped = [regex]::Replace($escaped, '(\\+)\z', '$1$1')
    '"' + $escaped + '"'
}

function ConvertTo-RegistryText {
    # Registry data as the command line takes it: whole numbers as 0x..., bytes as hexadecimal digits.
    # -1, which is what PowerShell makes of 0xffffffff, becomes 0xffffffff again.
    param(
        [Parameter(Mandatory = $true)][string] $Type,
        [AllowNull()][AllowEmptyCollection()][AllowEmptyString()][object[]] $Value
    )

    if ($Type -eq 'Binary' -or $Type -eq 'None') {
        $digits = foreach ($item in $Value) {
            if ($item -is [string]) { $item } else { '{0:x2}' -f [byte] $item }
        }
        if ($null -ne $digits) { -join $digits }
        return
    }
    foreach ($item in $Value) {
        $isNumber = $item -is [int] -or $item -is [long] -or $item -is [uint32] -or $item -is [uint64] -or $item -is [byte]
        if ($Type -eq 'QWord' -and $item -is [int]) { '0x{0:x}' -f [long] $item }
        elseif ($isNumber -and ($Type -eq 'DWord' -or $Type -eq 'QWord')) { '0x{0:x}' -f $item }
        else { [string] $item }
    }
}

function ConvertTo-ValueName {
    # The name of a registry value as the command line takes it: PowerShell calls the default value (default).
    param(
        [AllowNull()][AllowEmptyString()][string] $Name
    )

    if ($Name -eq '(default)') { '' } else { $Name }
}
