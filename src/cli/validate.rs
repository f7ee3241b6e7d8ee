//! `tideline validate`: look at a topology before it runs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::{BadTopology, Shared, print, print_json};

/// Check a topology and run its tests
///
/// Every problem is shown with its line, column and the text around it; a bad topology exits with
/// 78.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tideline validate topology.yaml\n  tideline validate topology.yaml --connect   # also ask every source and sink whether it could start"
)]
pub struct Args {
    /// The topology; without it `--topology`, else the embedded defaults
    file: Option<PathBuf>,
    /// Also check that every source and sink could start now
    #[arg(long)]
    connect: bool,
}

/// Runs `validate`.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    let mut shared = shared.clone();
    if args.file.is_some() {
        shared.topology.clone_from(&args.file);
    }
    let topology = shared.topology()?;
    let tests = topology.run_tests(&tideline::setup::rehearse_lines)?;
    if args.connect {
        connect(&topology)?;
    }
    let failed: Vec<_> = tests.iter().filter(|test| test.failure.is_some()).collect();
    if shared.json() {
        let (sources, sinks) = (topology.sources.len(), topology.sinks.len());
        print_json(
            &serde_json::json!({ "valid": failed.is_empty(), "sources": sources, "sinks": sinks, "tests": tests }),
        )?;
    } else {
        for test in &tests {
            print(&format!("{test}\n"))?;
        }
        print(&format!(
            "{}: {} sources, {} sinks, {} of {} tests pass\n",
            if failed.is_empty() { "valid" } else { "not as its tests say" },
            topology.sources.len(),
            topology.sinks.len(),
            tests.len() - failed.len(),
            tests.len(),
        ))?;
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(78) })
}

fn connect(topology: &tideline::topology::Topology) -> Result<()> {
    let mut problems = String::new();
    for (name, source) in &topology.sources {
        let checked = source.open(name).and_then(|source| source.check());
        if let Err(error) = checked {
            problems.push_str(&format!("source {name}: {error}\n"));
        }
    }
    for (name, sink) in &topology.sinks {
        let checked = sink.open(name, &topology.data_dir).and_then(|sink| sink.check());
        if let Err(error) = checked {
            problems.push_str(&format!("sink {name}: {error}\n"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(BadTopology(problems).into()) }
}
