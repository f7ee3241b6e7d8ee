//! `tideline simulate`: a made-up season to try things on.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use sources::simulate::{Config, Season};

use super::{Shared, print_json};

/// Write a made-up season as a feed: leagues, books with different margins and lags, steam moves,
/// pulled prices, errors, corrections, results
///
/// The same seed always writes the same bytes. Results are drawn from the true probabilities, so a
/// sharp consensus has a real edge over books that lag.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tideline simulate --seed 7 --out season.jsonl.zst\n  tideline replay season.jsonl.zst"
)]
pub struct Args {
    /// Seed
    #[arg(long, default_value_t = 7, value_name = "N")]
    seed: u64,
    /// Number of leagues
    #[arg(long, value_name = "N")]
    leagues: Option<u16>,
    /// Teams a league
    #[arg(long, value_name = "N")]
    teams: Option<u16>,
    /// Weeks, one round each
    #[arg(long, value_name = "N")]
    weeks: Option<u16>,
    /// How often prices change, as a multiple of the usual
    #[arg(long, value_name = "X")]
    activity: Option<f64>,
    /// Where to write: plain, or .zst by its name; `-` for standard output
    #[arg(long, short, default_value = "-", value_name = "FILE")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    let mut config = Config { seed: args.seed, ..Config::default() };
    config.leagues = args.leagues.unwrap_or(config.leagues);
    config.teams = args.teams.unwrap_or(config.teams);
    config.weeks = args.weeks.unwrap_or(config.weeks);
    config.activity = args.activity.unwrap_or(config.activity);
    let season = Season::new(config);
    if args.out.as_os_str() == "-" {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        season.write(&mut out)?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = std::fs::File::create(&args.out)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    let mut out = std::io::BufWriter::new(file);
    if args.out.extension().is_some_and(|e| e == "zst") {
        let mut packed = zstd::Encoder::new(&mut out, 19)?;
        season.write(&mut packed)?;
        packed.finish()?;
    } else {
        season.write(&mut out)?;
    }
    out.flush()?;
    if shared.json() {
        let bytes = std::fs::metadata(&args.out)?.len();
        print_json(&serde_json::json!({ "file": args.out, "bytes": bytes, "seed": args.seed }))?;
    }
    Ok(ExitCode::SUCCESS)
}
