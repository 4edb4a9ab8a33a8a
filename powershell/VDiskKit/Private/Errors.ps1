function New-VDiskError {
    # An error record: message with its place, stable id, category by exit code, and the hint as RecommendedAction.
    param(
        [Parameter(Mandatory = $true)][string] $Id,
        [Parameter(Mandatory = $true)][int] $ExitCode,
        [Parameter(Mandatory = $true)][string] $Message,
        [AllowNull()][AllowEmptyString()][string] $Location,
        [AllowNull()][AllowEmptyString()][string] $Hint,
        [AllowNull()] $Target
    )

    $text = $Message
    if ($Location) { $text = '{0} (at {1})' -f $Message, $Location }
    $category = [System.Management.Automation.ErrorCategory]::NotSpecified
    $code = [string] $ExitCode
    if ($script:Data.Categories.ContainsKey($code)) {
        $category = [System.Management.Automation.ErrorCategory] $script:Data.Categories[$code]
    }
    $exception = New-Object -TypeName System.InvalidOperationException -ArgumentList $text
    $exception.Data['ExitCode'] = $ExitCode
    $exception.Data['Location'] = $Location
    $record = New-Object -TypeName System.Management.Automation.ErrorRecord -ArgumentList $exception, $Id, $category, $Target
    if ($Hint) {
        $record.ErrorDetails = New-Object -TypeName System.Management.Automation.ErrorDetails -ArgumentList $text
        $record.ErrorDetails.RecommendedAction = $Hint
    }
    $record
}

function Write-VDiskError {
    # Report what a line of type "error" says, as an error of the command that the user called.
    param(
        [Parameter(Mandatory = $true)] $Cmdlet,
        [Parameter(Mandatory = $true)] $Line,
        [Parameter(Mandatory = $true)][string] $Path
    )

    $told = $Line.Error
    $record = New-VDiskError -Id $told.Type -ExitCode $Line.ExitCode -Message $told.Message -Location $told.Location -Hint $told.Hint -Target $Path
    $Cmdlet.WriteError($record)
}
