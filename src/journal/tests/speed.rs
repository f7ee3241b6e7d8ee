//! What a fact costs. Run with `cargo test --release -p tideline -- --ignored --nocapture speed`.

use schema::{Clock, SystemClock, Tick};

use super::super::encode::{Context, put_head, put_tick};
use super::{Journal, QUICK, facts, read};

const TICKS: u64 = 10_000;
const QUOTES: u64 = 100;

/// Bounds are three to four times what was measured, so that only a mistake trips them.
#[test]
#[ignore = "a measurement: meaningful only when optimized and on a quiet machine"]
fn encoding_and_decoding_a_quote_takes_nanoseconds() {
    let clock = SystemClock::new();
    let ticks: Vec<Tick> = (1..=TICKS).map(|number| facts::busy_tick(number, QUOTES)).collect();
    let quotes = (TICKS * QUOTES) as f64;

    let (mut context, mut bytes, mut total) = (Context::new(), Vec::new(), 0);
    let start = clock.elapsed_ns();
    for tick in &ticks {
        bytes.clear();
        put_head(&mut bytes, &mut context, tick.number, tick.time, &[]);
        put_tick(&mut bytes, &mut context, tick).unwrap();
        total += bytes.len();
    }
    let encode = (clock.elapsed_ns() - start) as f64 / quotes;

    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::create_or_open(dir.path(), QUICK).unwrap();
    let start = clock.elapsed_ns();
    for tick in &ticks {
        journal.append(std::slice::from_ref(tick), tick.time, &[]).unwrap();
    }
    let append = (clock.elapsed_ns() - start) as f64 / quotes;

    let start = clock.elapsed_ns();
    let read: u64 = read(dir.path()).unwrap().map(|e| e.unwrap().tick.events.len() as u64).sum();
    let decode = (clock.elapsed_ns() - start) as f64 / quotes;
    let bytes = total as f64 / quotes;
    eprintln!(
        "a quote: encode {encode:.1} ns, append {append:.1} ns, read {decode:.1} ns, {bytes:.1} bytes"
    );
    assert_eq!(read, TICKS * QUOTES);
    assert!(encode < 60.0 && bytes < 35.0, "{encode} ns, {bytes} bytes");
}
