//! The command line: one file a command, and what they share.
//!
//! Exit codes follow sysexits: 0 done, 64 wrong usage, 65 bad data, 74 input or output failed,
//! 78 bad topology, 1 anything else.

mod backtest;
mod control;
mod graph;
mod journal;
mod ledger;
mod models;
mod predict;
mod progress;
mod replay;
mod report;
mod run;
mod simulate;
mod sweep;
mod validate;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use tideline::topology::Topology;

/// Odds and results in; priced, sized and explained stake suggestions out, and taken back when the
/// facts change.
#[derive(Debug, Parser)]
#[command(name = "tideline", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Start here:\n  tideline run            replay the bundled season into ./reports\n  \
    tideline replay FEED    try a change against recorded feeds\n  tideline run --help     what each \
    command does, with an example"
)]
struct Tideline {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Shared {
    /// Topology to use; without it the embedded defaults
    #[arg(long, short, global = true, value_name = "FILE", env = "TIDELINE_TOPOLOGY")]
    topology: Option<PathBuf>,
    /// Where journal, ledger and suggestions are kept
    #[arg(long, global = true, value_name = "DIR", env = "TIDELINE_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Print one JSON object for machines instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Ticks stepped at once: speed only, the results are the same
    #[arg(long, global = true, value_name = "N", default_value_t = 256,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch: u32,
    /// Dataflow worker threads: speed only, the results are the same
    #[arg(long, global = true, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Replay(replay::Args),
    Backtest(backtest::Args),
    Predict(predict::Args),
    Report(report::Args),
    Ledger(ledger::Args),
    Validate(validate::Args),
    Graph(graph::Args),
    Simulate(simulate::Args),
    Journal(journal::Args),
    Models(models::Args),
    Sweep(sweep::Args),
    Halt(control::HaltArgs),
    Reduce(control::ReduceArgs),
    Resume(control::ResumeArgs),
}

/// Reads the arguments, runs the command, and turns an error into a message and an exit code.
pub fn main() -> ExitCode {
    let parsed = match Tideline::try_parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            let usage = error.use_stderr();
            let _ = error.print();
            return if usage { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    match dispatch(parsed) {
        Ok(code) => code,
        Err(error) => complain(&error),
    }
}

fn dispatch(parsed: Tideline) -> Result<ExitCode> {
    let shared = &parsed.shared;
    match parsed.command {
        Command::Run(args) => run::run(shared, &args),
        Command::Replay(args) => replay::run(shared, &args),
        Command::Backtest(args) => backtest::run(shared, &args),
        Command::Predict(args) => predict::run(shared, &args),
        Command::Report(args) => report::run(shared, &args),
        Command::Ledger(args) => ledger::run(shared, &args),
        Command::Validate(args) => validate::run(shared, &args),
        Command::Graph(args) => graph::run(shared, &args),
        Command::Simulate(args) => simulate::run(shared, &args),
        Command::Journal(args) => journal::run(shared, &args),
        Command::Models(args) => models::run(shared, &args),
        Command::Sweep(args) => sweep::run(shared, &args),
        Command::Halt(args) => control::halt(shared, &args),
        Command::Reduce(args) => control::reduce(shared, &args),
        Command::Resume(args) => control::resume(shared, &args),
    }
}

/// Prints an error with its causes.
#[allow(clippy::print_stderr, reason = "telling the user what went wrong is this function's job")]
fn complain(error: &anyhow::Error) -> ExitCode {
    if let Some(problems) = error.downcast_ref::<BadTopology>() {
        eprint!("{}", problems.0);
        return ExitCode::from(78);
    }
    let broken_pipe = error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if broken_pipe {
        return ExitCode::SUCCESS;
    }
    eprintln!("tideline: {error}");
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        if !said.contains(&text) {
            eprintln!("  because: {text}");
            said = text;
        }
    }
    ExitCode::from(exit_code(error))
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some()) {
        return 74;
    }
    match error.downcast_ref::<tideline::Error>() {
        Some(
            tideline::Error::Journal(_)
            | tideline::Error::TickOrder { .. }
            | tideline::Error::Source(_),
        ) => 65,
        Some(
            tideline::Error::LiveData { .. }
            | tideline::Error::FeedInDataDir { .. }
            | tideline::Error::Decisions { .. },
        ) => 64,
        Some(tideline::Error::File { .. }) => 74,
        _ => 1,
    }
}

/// A topology that was refused, as the text that says where and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadTopology(pub String);

impl Shared {
    /// The topology: the file named, or the embedded defaults.
    pub fn topology(&self) -> Result<Topology> {
        let Some(path) = &self.topology else { return Ok(Topology::default()) };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the topology {}", path.display()))?;
        let name = path.display().to_string();
        Topology::parse(&text, &name).map_err(|problems| BadTopology(problems.render()).into())
    }

    /// The data directory: from the command line, else the topology's.
    pub fn data_dir(&self, topology: &Topology) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| topology.data_dir.clone())
    }

    /// Ticks stepped at once.
    pub const fn ticks_per_step(&self) -> usize {
        self.batch as usize
    }

    /// Whether output is for machines.
    pub const fn json(&self) -> bool {
        self.json
    }

    /// Worker threads of the dataflow.
    pub const fn workers(&self) -> usize {
        self.workers as usize
    }
}

/// Prints one JSON object to standard output.
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Prints text to standard output.
pub fn print(text: &str) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(())
}

/// A path relative to the working directory where that is shorter.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    relative.unwrap_or_else(|| path.to_path_buf()).display().to_string()
}
