//! How fast feeds are read. Prints one line a feed.
//!
//!     cargo bench -p tideline-sources -- PATH...
//!
//! A file of JSON lines is read through the parser alone, in memory; every path also goes through
//! its source and a door, as in the engine. Without a path a simulated season is used.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that measures and says so")]

use std::path::{Path, PathBuf};

use schema::{Clock, SystemClock};
use tideline_sources::jsonl::Parser;
use tideline_sources::simulate::{Config, Season};
use tideline_sources::{CHUNK_EVENTS_MAX, Door, guess};

fn main() {
    let mut paths: Vec<PathBuf> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).map(PathBuf::from).collect();
    let folder = tempfile::tempdir().unwrap();
    if paths.is_empty() {
        let path = folder.path().join("season.jsonl");
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
        Season::new(Config::default()).write(&mut file).unwrap();
        paths.push(path);
    }
    for path in &paths {
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            parser(path);
        }
        source(path);
    }
}

/// Seconds of processor time this program has used, to the hundredth: what other programs do in the
/// meantime does not count.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).map(|t| t.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

/// Processor nanoseconds a line of the parser alone: five passes, the best counts.
fn parser(path: &Path) {
    let text = std::fs::read(path).unwrap();
    let mut best = f64::INFINITY;
    let (mut lines, mut refused) = (0_u64, 0_u64);
    for _ in 0..5 {
        (lines, refused) = (0, 0);
        let mut parser = Parser::new("bench");
        let mut events = Vec::with_capacity(CHUNK_EVENTS_MAX);
        let start = cpu_seconds();
        let mut from = 0;
        for to in memchr::memchr_iter(b'\n', &text) {
            let line = &text[std::mem::replace(&mut from, to + 1)..to];
            lines += 1;
            refused += u64::from(parser.parse(line, None, &mut events).is_err());
            if events.len() == CHUNK_EVENTS_MAX {
                std::hint::black_box(&events);
                events.clear();
            }
        }
        best = best.min((cpu_seconds() - start) * 1e9 / lines as f64);
    }
    println!("parser {} lines={lines} refused={refused} ns_per_line={best:.1}", path.display());
}

/// A whole source through its door.
fn source(path: &Path) {
    let source = guess(path).unwrap().open("bench").unwrap();
    let (clock, cpu) = (SystemClock::new(), cpu_seconds());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (events, rejects) = runtime.block_on(async {
        let (door, mut engine) = Door::pair();
        let running = tokio::spawn(source.run(door));
        let (mut events, mut rejects) = (0, 0);
        while let Some(chunk) = engine.recv().await {
            events += chunk.events.len();
            rejects += chunk.rejects.len();
        }
        running.await.unwrap().unwrap();
        (events, rejects)
    });
    let seconds = clock.elapsed_ns() as f64 / 1e9;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    println!(
        "source {} events={events} rejects={rejects} seconds={seconds:.2} cpu={:.2} {}",
        path.display(),
        cpu_seconds() - cpu,
        peak.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    );
}
