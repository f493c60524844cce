//! The definitions of all commands, taken together.

use clap::CommandFactory as _;

use super::*;

fn every_command(visit: &mut impl FnMut(&str, &clap::Command)) {
    fn walk(path: &str, command: &clap::Command, visit: &mut impl FnMut(&str, &clap::Command)) {
        visit(path, command);
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            walk(&format!("{path} {}", sub.get_name()), sub, visit);
        }
    }
    let mut command = CommandLine::command();
    command.build();
    walk("leasehold", &command, visit);
}

fn parse(arguments: &str) -> Result<CommandLine, clap::Error> {
    let (quoted, mut arguments, mut word) = (arguments.to_owned() + " ", vec![String::new()], String::new());
    let mut in_quotes = false;
    for letter in quoted.chars() {
        match letter {
            '\'' => in_quotes = !in_quotes,
            ' ' if !in_quotes => {
                arguments.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()))
            }
            other => word.push(other),
        }
    }
    CommandLine::try_parse_from(arguments)
}

#[test]
fn the_definitions_are_sound() {
    CommandLine::command().debug_assert();
}

#[test]
fn every_command_says_what_it_does_and_shows_an_example() {
    let mut count = 0;
    every_command(&mut |path, command| {
        count += 1;
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(about.len() > 10, "{path} does not say what it does");
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(after.starts_with("Example:\n  leasehold"), "{path} shows no example");
    });
    assert!(count > 60, "{count}");
}

#[test]
fn every_example_is_one_that_is_accepted() {
    every_command(&mut |path, command| {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let after = after.replace(" \\\n     ", "");
        let examples = after.lines().filter_map(|line| line.strip_prefix("  leasehold "));
        for example in examples.flat_map(|line| line.split(" && ")) {
            // What stands behind a pipe or a redirection is the shell's.
            let example = example.split(" > ").next().unwrap().split(" | ").next().unwrap();
            let example = example.strip_prefix("leasehold ").unwrap_or(example);
            if let Err(error) = parse(example) {
                panic!("{path}: {example}: {error}");
            }
        }
    });
}

#[test]
fn no_secret_can_be_an_argument() {
    every_command(&mut |path, command| {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let named_after_a_secret =
                ["secret", "token", "credential", "password"].iter().any(|word| name.contains(word));
            let is_a_place =
                ["_file", "_env", "_out", "_endpoint"].iter().any(|ending| name.ends_with(ending));
            // These are ids of secrets, and not secrets.
            let is_an_id = path.ends_with("retire-secret") || path.ends_with("retire-credential");
            assert!(!named_after_a_secret || is_a_place || is_an_id, "{path} takes {name}");
        }
    });
}

#[test]
fn help_and_version_are_done_and_everything_else_is_wrong_usage() {
    for (arguments, exit) in [
        ("--help", Exit::Done),
        ("--version", Exit::Done),
        ("lease acquire --help", Exit::Done),
        ("", Exit::Usage),
        ("lease", Exit::Usage),
        ("lease steal", Exit::Usage),
        ("revoke --reason x", Exit::Usage),
        ("revoke --subject a --grant b", Exit::Usage),
        ("access who", Exit::Usage),
        ("lease acquire --mcp-server m --connector c", Exit::Usage),
        ("lease acquire --mcp-server m --connector c --subject s --subject-token-file f", Exit::Usage),
        ("dev --listen 0.0.0.0:7400", Exit::Usage),
        ("connector list --output yaml", Exit::Usage),
        ("connector list --output json --field name", Exit::Usage),
    ] {
        let error = parse(arguments).err().unwrap_or_else(|| panic!("accepted: {arguments}"));
        assert_eq!(usage_exit(error.kind()), exit, "{arguments}");
    }
}

#[test]
fn options_for_all_commands_stand_before_the_noun_or_after_the_verb() {
    for arguments in [
        "--as demo-gateway --output json lease list",
        "lease list --as demo-gateway --output json",
        "lease --as demo-gateway list --output json",
    ] {
        let parsed = parse(arguments).unwrap();
        assert_eq!(parsed.global.profile.as_deref(), Some("demo-gateway"), "{arguments}");
        assert_eq!(parsed.global.output, view::Format::Json, "{arguments}");
    }
}

#[test]
fn dev_and_serve_take_what_a_node_needs() {
    let Command::Dev(dev) = parse("dev --demo --data-dir /tmp/x --listen 127.0.0.1:0").unwrap().command
    else {
        panic!("not dev");
    };
    assert!(dev.demo && !dev.keep);
    assert_eq!(dev.listen.port(), 0);
    let Command::Serve(serve) = parse("serve --config node.toml").unwrap().command else {
        panic!("not serve")
    };
    assert_eq!(serve.config.as_deref(), Some(std::path::Path::new("node.toml")));
}

#[test]
fn no_line_of_an_example_is_wrapped() {
    every_command(&mut |path, command| {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in after.lines() {
            assert!(line.len() <= 100, "{path}: {line}");
        }
    });
}
