//! `tideline journal`: look into the log of facts.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use schema::Names;

use super::{Shared, print, print_json};

/// Verify or dump a journal
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tideline journal verify --data-dir ./state\n  tideline journal dump ./state/journal --from-tick 100 --ticks 5"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check every record's checksum and order
    #[command(after_help = "Example:\n  tideline journal verify ./state/journal")]
    Verify {
        /// The journal directory; without it the data directory's
        dir: Option<PathBuf>,
    },
    /// Print facts as JSON lines that `replay` reads
    #[command(
        after_help = "Example:\n  tideline journal dump ./state/journal --from-tick 100 --ticks 5"
    )]
    Dump {
        /// The journal directory; without it the data directory's
        dir: Option<PathBuf>,
        /// First tick to print
        #[arg(long, default_value_t = 1, value_name = "N")]
        from_tick: u64,
        /// How many ticks to print
        #[arg(long, default_value_t = u64::MAX, value_name = "N", hide_default_value = true)]
        ticks: u64,
    },
}

/// Runs the command.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    match &args.action {
        Action::Verify { dir } => verify(shared, &directory(shared, dir.as_ref())?),
        Action::Dump { dir, from_tick, ticks } => {
            dump(&directory(shared, dir.as_ref())?, *from_tick, *ticks)
        }
    }
}

fn directory(shared: &Shared, dir: Option<&PathBuf>) -> Result<PathBuf> {
    if let Some(dir) = dir {
        return Ok(dir.clone());
    }
    Ok(tideline::engine::journal_dir(&shared.data_dir(&shared.topology()?)))
}

fn verify(shared: &Shared, dir: &std::path::Path) -> Result<ExitCode> {
    let found = tideline::journal::verify(dir).map_err(tideline::Error::from)?;
    if shared.json() {
        print_json(&found)?;
    } else {
        print(&in_words(&found))?;
    }
    Ok(if found.first_error.is_none() { ExitCode::SUCCESS } else { ExitCode::from(65) })
}

fn in_words(found: &tideline::journal::Verification) -> String {
    let time = |time: Option<schema::Time>| time.map_or("-".to_owned(), |time| time.to_string());
    let mut text = format!(
        "{} ticks ({} to {}) with {} facts in {} segments, {} bytes\nfrom {} to {}\n",
        found.ticks,
        found.first_tick,
        found.last_tick,
        found.events,
        found.segments,
        found.bytes,
        time(found.first_time),
        time(found.last_time),
    );
    if found.torn_tail_bytes > 0 {
        text.push_str(&format!(
            "torn tail of {} bytes: never acknowledged, cut off at the next start\n",
            found.torn_tail_bytes
        ));
    }
    text.push_str(
        &found
            .first_error
            .as_ref()
            .map_or("sound\n".to_owned(), |error| format!("DAMAGED: {error}\n")),
    );
    text
}

fn dump(dir: &std::path::Path, from_tick: u64, ticks: u64) -> Result<ExitCode> {
    let mut names = Names::default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let end = from_tick.saturating_add(ticks);
    for entry in tideline::journal::read(dir).map_err(tideline::Error::from)? {
        let entry = entry.map_err(tideline::Error::from)?;
        for (_, name) in &entry.names {
            names.register(name)?;
        }
        if entry.tick.number >= end {
            break;
        }
        if entry.tick.number < from_tick {
            continue;
        }
        for event in &entry.tick.events {
            writeln!(out, "{}", sources::jsonl::to_line(event, &names))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
