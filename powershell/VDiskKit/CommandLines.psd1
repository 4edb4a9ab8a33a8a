# What this module knows of the command line of vdiskkit, as data. Tests run every command line in here.
@{
    # Each is a list of arguments. '{Name}' stands for the value of Name, or for each of its values;
    # a table adds its Arguments for each value of the name in With, and nothing when it has none.
    # The disk stands last, behind '--', so that nothing a user types is taken for an option.
    CommandLines = @{
        Version      = @('--version')
        Inspect      = @(
            'inspect', '--output-format', 'jsonl', '{Verbosity}',
            @{ With = 'ShowKey'; Arguments = @('--show-key') },
            @{ With = 'At'; Arguments = @('--at', '{At}') },
            @{ With = 'ParentFolder'; Arguments = @('--parent-dir', '{ParentFolder}') },
            '--', '{Path}'
        )
        Validate     = @(
            'validate', '--output-format', 'jsonl', '{Verbosity}',
            @{ With = 'ProfileName'; Arguments = @('--profile', '{ProfileName}') },
            @{ With = 'Select'; Arguments = @('--select', '{Select}') },
            @{ With = 'Ignore'; Arguments = @('--ignore', '{Ignore}') },
            @{ With = 'FailOn'; Arguments = @('--fail-on', '{FailOn}') },
            @{ With = 'StrictUnknown'; Arguments = @('--strict-unknown') },
            @{ With = 'Deep'; Arguments = @('--deep') },
            @{ With = 'At'; Arguments = @('--at', '{At}') },
            @{ With = 'ParentFolder'; Arguments = @('--parent-dir', '{ParentFolder}') },
            '--', '{Path}'
        )
        GetValue     = @(
            'reg', 'get', '--output-format', 'jsonl', '{Verbosity}',
            @{ With = 'At'; Arguments = @('--at', '{At}') },
            @{ With = 'ParentFolder'; Arguments = @('--parent-dir', '{ParentFolder}') },
            '--', '{Path}', '{Key}', '{Name}'
        )
        SetValue     = @(
            'reg', 'set', '--output-format', 'jsonl', '{Verbosity}', '--type', '{Type}', '--plan-out', '{PlanFile}',
            @{ With = 'CreateKey'; Arguments = @('--create-keys') },
            @{ With = 'Force'; Arguments = @('--force', '{Force}') },
            @{ With = 'ParentFolder'; Arguments = @('--parent-dir', '{ParentFolder}') },
            '--', '{Path}', '{Key}', '{Name}', '{Value}'
        )
        PrepareKms   = @(
            'kms-prep', '--output-format', 'jsonl', '{Verbosity}', '--plan-out', '{PlanFile}',
            @{ With = 'SkipRearm'; Arguments = @('--skip-rearm', '{SkipRearm}') },
            @{ With = 'KmsHost'; Arguments = @('--kms-host', '{KmsHost}') },
            @{ With = 'KmsPort'; Arguments = @('--kms-port', '{KmsPort}') },
            @{ With = 'RemoveToken'; Arguments = @('--remove-tokens') },
            @{ With = 'Office'; Arguments = @('--office') },
            @{ With = 'Force'; Arguments = @('--force', '{Force}') },
            @{ With = 'ParentFolder'; Arguments = @('--parent-dir', '{ParentFolder}') },
            '--', '{Path}'
        )
        ApplyPlan    = @(
            'apply', '--output-format', 'jsonl', '{Verbosity}', '--yes', '--digest', '{Digest}',
            @{ With = 'ParentFolder'; Arguments = @('--parent-dir', '{ParentFolder}') },
            '--', '{PlanFile}'
        )
        PlanUndo     = @(
            'undo', '--output-format', 'jsonl', '{Verbosity}', '--dry-run',
            @{ With = 'Id'; Arguments = @('--id', '{Id}') },
            @{ With = 'Force'; Arguments = @('--force', '{Force}') },
            '--', '{Path}'
        )
        Undo         = @(
            'undo', '--output-format', 'jsonl', '{Verbosity}', '--yes', '--id', '{Id}',
            @{ With = 'Force'; Arguments = @('--force', '{Force}') },
            '--', '{Path}'
        )
    }

    # Exit code to the category of an error record; any other code is NotSpecified.
    Categories   = @{
        '1'   = 'ObjectNotFound'
        '2'   = 'InvalidArgument'
        '3'   = 'InvalidData'
        '4'   = 'ResourceUnavailable'
        '5'   = 'NotImplemented'
        '6'   = 'WriteError'
        '7'   = 'OperationStopped'
        '8'   = 'ReadError'
        '9'   = 'InvalidResult'
        '130' = 'OperationStopped'
    }

    # PowerShell's names of registry types to those of vdiskkit.
    Types        = @{
        DWord        = 'dword'
        QWord        = 'qword'
        String       = 'sz'
        ExpandString = 'expand_sz'
        MultiString  = 'multi_sz'
        Binary       = 'binary'
        None         = 'none'
    }

    # Members of a line that hold a time.
    Times        = @('install_date', 'last_written', 'made')

    # What is shown of an object that is not formatted otherwise.
    Shown        = @{
        'VDiskKit.Disk'          = @('Path', 'Format', 'Type', 'ProductName', 'DisplayVersion', 'Mode', 'LicenseMode', 'Channel', 'SkipRearm', 'Locked')
        'VDiskKit.Validation'    = @('Path', 'Fit', 'ProfileName', 'Errors', 'Warnings', 'Unknown', 'Findings')
        'VDiskKit.Finding'       = @('Code', 'Severity', 'Message', 'Evidence', 'Fix')
        'VDiskKit.RegistryValue' = @('Path', 'Key', 'Name', 'Type', 'Value', 'Problem')
        'VDiskKit.Change'        = @('Path', 'Written', 'ChangeId', 'Changes', 'Notes')
    }
}
