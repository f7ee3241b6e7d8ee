//! `tideline report`: write the daily reports of a data directory again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use sinks::SinkConfig;
use tideline::setup::Rehearsal;

use super::{Shared, print, print_json, progress::Bar, shown};

/// Write the Daily Edge Reports of a data directory again, from its journal
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tideline report --data-dir ./state --out ./reports --days 30")]
pub struct Args {
    /// Where to write the pages
    #[arg(long, short, default_value = "reports", value_name = "DIR")]
    out: PathBuf,
    /// How many of the last days to write
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
}

/// Runs the command.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    let dir = shared.data_dir(&shared.topology()?);
    let journal = tideline::engine::journal_dir(&dir);
    let report = sinks::report::Config {
        path: args.out.clone(),
        keep_days: args.days,
        render: sinks::report::Render::Finish,
        ..sinks::report::Config::default()
    };
    let bar = Bar::new("report", shared.json());
    let done = Rehearsal::of_journal(journal, None)?
        .workers(shared.workers())
        .shown_by(BTreeMap::from([("report".to_owned(), SinkConfig::Report(report))]))
        .run(&mut (), |stream, engine| bar.show(stream, engine));
    bar.done();
    done?;
    let index = args.out.join("index.html");
    if shared.json() {
        print_json(&serde_json::json!({ "index": index }))?;
    } else {
        print(&format!("Open {}\n", shown(&index)))?;
    }
    Ok(ExitCode::SUCCESS)
}
