//! `--help`: the program's, and after a runbook its parameters.

use clap::CommandFactory;

use super::args::Arguments;
use crate::language::declared::Declared;
use crate::process::Process;

/// The program's own help.
pub fn program(process: &Process) -> String {
    let help = Arguments::command().render_help();
    let text = if process.data_color() { help.ansi().to_string() } else { help.to_string() };
    text.trim_end().to_owned()
}

/// The help of a runbook: its purpose (the first comment) and its parameters.
pub fn runbook(name: &str, source: &str, parameters: &[Declared]) -> String {
    let mut lines = Vec::new();
    let about: Vec<&str> = source
        .trim_start()
        .lines()
        .take_while(|line| line.starts_with("//"))
        .map(|line| line.trim_start_matches('/').trim_start_matches('!').trim())
        .collect();
    lines.extend(about.iter().map(|line| (*line).to_owned()));
    if !about.is_empty() {
        lines.push(String::new());
    }
    lines.push(format!("Usage: coriolis-run {name} [--set NAME=VALUE]... [OPTIONS]"));
    lines.push(String::new());
    if parameters.is_empty() {
        lines.push("It has no parameters.".to_owned());
    } else {
        lines.push("Parameters:".to_owned());
    }
    let width = parameters.iter().map(|parameter| parameter.name.len()).max().unwrap_or(0);
    for parameter in parameters {
        let default = match &parameter.default {
            None => "required".to_owned(),
            Some(default) => format!("default: {default}"),
        };
        let help = parameter.help.as_deref().map(|help| format!("{help} ")).unwrap_or_default();
        lines.push(format!("  --set {:width$}=...  {help}[{default}]", parameter.name));
    }
    lines.push(String::new());
    lines.push("`coriolis-run --help` lists the options.".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runbook_explains_itself() {
        let parameters = [
            Declared { name: "limit".into(), default: Some(8.into()), help: Some("VMs at once.".into()) },
            Declared { name: "cloud".into(), default: None, help: None },
        ];
        assert_eq!(
            runbook("waves.rhai", "// Moves VMs.\n//\n// In waves.\nlet x = 1;\n// not this", &parameters),
            "Moves VMs.\n\nIn waves.\n\nUsage: coriolis-run waves.rhai [--set NAME=VALUE]... [OPTIONS]\n\nParameters:\n  \
             --set limit=...  VMs at once. [default: 8]\n  --set cloud=...  [required]\n\n`coriolis-run --help` lists the options."
        );
    }
}
