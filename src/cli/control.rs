//! `tideline halt`, `reduce`, `resume`: an operator's word to a running engine.

use std::process::ExitCode;

use anyhow::Result;
use schema::{Command, Control, SystemClock};

use super::{Shared, print, print_json, shown};

/// Stop staking: withdraw every suggestion and make no new one until `resume`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tideline halt --reason \"line-up leak, prices not to be trusted\""
)]
pub struct HaltArgs {
    #[command(flatten)]
    word: Word,
}

/// Make no new suggestions; outstanding ones may shrink or be withdrawn
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tideline reduce --reason \"bank holiday\"")]
pub struct ReduceArgs {
    #[command(flatten)]
    word: Word,
}

/// Go back to normal, and release the hard stop
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tideline resume --reason \"checked the losses, all real\"")]
pub struct ResumeArgs {
    #[command(flatten)]
    word: Word,
}

#[derive(Debug, clap::Args)]
struct Word {
    /// Why: it is journalled and shown on every report
    #[arg(long, default_value = "no reason given")]
    reason: String,
    /// Who says so
    #[arg(long, env = "USER", default_value = "operator")]
    operator: String,
}

/// Halts.
pub fn halt(shared: &Shared, args: &HaltArgs) -> Result<ExitCode> {
    send(shared, Command::Halt, &args.word)
}

/// Reduces.
pub fn reduce(shared: &Shared, args: &ReduceArgs) -> Result<ExitCode> {
    send(shared, Command::Reduce, &args.word)
}

/// Resumes.
pub fn resume(shared: &Shared, args: &ResumeArgs) -> Result<ExitCode> {
    send(shared, Command::Resume, &args.word)
}

fn send(shared: &Shared, command: Command, word: &Word) -> Result<ExitCode> {
    let dir = shared.data_dir(&shared.topology()?);
    let control = Control { command, operator: word.operator.clone(), reason: word.reason.clone() };
    let path = tideline::control::send(&dir, &control, &SystemClock::new())?;
    if shared.json() {
        print_json(&serde_json::json!({ "command": command, "spooled": path }))?;
    } else {
        print(&format!(
            "The command waits in {}: a run on this data directory obeys it within a second, or when it starts.\n",
            shown(&path)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
