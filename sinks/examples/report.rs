//! Renders the Daily Edge Report of a made-up season, to look at the pages without a feed:
//! `cargo run -p tideline-sinks --example report -- FOLDER [DAYS]`. Zero days give the small run of the tests.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example for people to run")]

use std::path::PathBuf;

use schema::{Clock as _, SystemClock};
use tideline_sinks::{Sink as _, report};

#[path = "../src/made_up.rs"]
mod made_up;

fn main() -> Result<(), tideline_sinks::Error> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().unwrap_or_else(|| "reports".to_owned()));
    let days = arguments.next().and_then(|days| days.parse().ok()).unwrap_or(280);
    let config = report::Config { path: path.clone(), ..report::Config::default() };
    let clock = SystemClock::new();
    let mut report = config.open("report")?;
    let mut busy_ns = 0;
    let mut timed = |work: &mut dyn FnMut() -> Result<(), tideline_sinks::Error>| {
        let start = clock.elapsed_ns();
        let result = work();
        busy_ns += clock.elapsed_ns() - start;
        result
    };
    let small = if days == 0 { made_up::small_run() } else { Vec::new() };
    for outbox in small.into_iter().chain(made_up::season(days, 30).flatten()) {
        timed(&mut || report.publish(&outbox))?;
    }
    timed(&mut || report.finish())?;
    let seconds = busy_ns as f64 / 1e9;
    println!(
        "{days} days took the sink {seconds:.2} s: open {}",
        path.join("index.html").display()
    );
    Ok(())
}
