use std::io::Write;

use schema::Event;
use tempfile::TempDir;

use super::*;
use crate::{Chunk, RECORD_BYTES_MAX, Reject, SourceConfig};

struct Seen {
    events: Vec<Event>,
    rejects: Vec<Reject>,
    chunks: Vec<Chunk>,
    end: Result<(), Error>,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn replay(path: &Path, speed: Speed) -> Seen {
    runtime().block_on(async {
        let config = Config { speed, ..Config::file(path) };
        let source = SourceConfig::Replay(config).open("feed").unwrap();
        let (door, mut engine) = Door::pair();
        let running = tokio::spawn(source.run(door));
        let mut chunks = Vec::new();
        while let Some(chunk) = engine.recv().await {
            chunks.push(chunk);
        }
        Seen {
            events: chunks.iter().flat_map(|chunk| chunk.events.clone()).collect(),
            rejects: chunks.iter().flat_map(|chunk| chunk.rejects.clone()).collect(),
            chunks,
            end: running.await.unwrap(),
        }
    })
}

fn line(ts: i64, book: &str) -> String {
    format!(
        r#"{{"ts":{ts},"type":"odds","fixture":"F","book":"{book}","sel":"home","price":2.35}}"#
    )
}

const T0: i64 = 1_760_000_000_000;

fn feed(lines: usize) -> String {
    (0..lines as i64).map(|n| line(T0 + n, "B") + "\n").collect()
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn every_packing_gives_the_same_facts_whatever_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let text = feed(3_000);
    let plain = replay(&write(&folder, "a.jsonl", text.as_bytes()), Speed::Max);
    plain.end.unwrap();
    assert_eq!((plain.events.len(), plain.rejects.len()), (3_000, 0));
    let last = plain.chunks.last().unwrap().progress.unwrap();
    assert_eq!((last.done_bytes, last.total_bytes), (text.len() as u64, text.len() as u64));
    let names: Vec<&str> =
        plain.chunks.iter().flat_map(|chunk| &chunk.names).map(|(_, name)| &**name).collect();
    assert_eq!(names, ["feed", "F", "B"]);
    let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    for (name, bytes) in [("b", gz(text.as_bytes())), ("c.txt", packed)] {
        let seen = replay(&write(&folder, name, &bytes), Speed::Max);
        seen.end.unwrap();
        assert_eq!(seen.events, plain.events, "{name}");
    }
}

#[test]
fn a_cut_gzip_gives_everything_before_the_cut_and_one_reject() {
    let folder = tempfile::tempdir().unwrap();
    let packed = gz(feed(5_000).as_bytes());
    for cut in [packed.len() / 3, packed.len() - 9, packed.len() - 4, packed.len() - 1] {
        let seen = replay(&write(&folder, "cut.jsonl.gz", &packed[..cut]), Speed::Max);
        seen.end.unwrap();
        assert_eq!(seen.rejects.len(), 1, "{:?}", seen.rejects);
        let reason = &seen.rejects[0].reason;
        assert!(reason.starts_with(&format!("gzip ends early at byte {cut}")), "{reason}");
        let whole = cut > packed.len() - 9;
        assert!(if whole { seen.events.len() == 5_000 } else { seen.events.len() > 500 });
    }
    let packed = zstd::encode_all(feed(5_000).as_bytes(), 3).unwrap();
    let seen = replay(&write(&folder, "cut.zst", &packed[..packed.len() - 3]), Speed::Max);
    assert_eq!(seen.rejects.len(), 1);
    assert!(seen.rejects[0].reason.starts_with("zstd ends early"), "{:?}", seen.rejects);
}

#[test]
fn bad_records_are_rejected_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for bad in [
        line(T0, "B").replace("2.35", "NaN"),
        line(T0, "B").replace("2.35", "-2.35"),
        line(T0, "B").replace("2.35", "0.5"),
        line(0, "B"),
        "x".repeat(10 << 20),
        line(T0, "B")[..50].to_owned(),
    ] {
        text += &(line(T0, "good") + "\n\r\n" + &bad + "\n");
    }
    text += &line(T0, "last, without a line end");
    let path = write(&folder, "bad.jsonl", text.as_bytes());
    let seen = replay(&path, Speed::Max);
    seen.end.unwrap();
    assert_eq!(seen.events.len(), 7);
    let lines: Vec<&str> =
        seen.rejects.iter().map(|reject| reject.offset.rsplit(':').next().unwrap()).collect();
    assert_eq!(lines, ["3", "6", "9", "12", "15", "18"]);
    assert!(seen.rejects.iter().all(|reject| reject.record.len() <= RECORD_BYTES_MAX));
    assert!(seen.rejects[4].reason.contains("10485760 bytes"), "{:?}", seen.rejects[4]);
    assert!(seen.rejects[2].reason.contains("0.5"), "{:?}", seen.rejects[2]);
}

#[test]
fn a_feed_of_nothing_but_rubbish_comes_through_in_bounded_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, "rubbish.jsonl", "rubbish\n".repeat(5_000).as_bytes());
    let seen = replay(&path, Speed::Max);
    seen.end.unwrap();
    assert_eq!(seen.rejects.len(), 5_000);
    assert!(seen.chunks.iter().all(|chunk| chunk.rejects.len() <= crate::CHUNK_REJECTS_MAX));
}

#[test]
fn what_is_no_feed_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let binary: Vec<u8> = (0..2_000_u32).map(|n| (n * 7 % 256) as u8).collect();
    let path = write(&folder, "photo.jsonl", &binary);
    let cause = replay(&path, Speed::Max).end.unwrap_err().to_string();
    assert!(cause.contains("photo.jsonl") && cause.contains("binary"), "{cause}");
    let missing = folder.path().join("missing.jsonl");
    assert!(replay(&missing, Speed::Max).end.unwrap_err().to_string().contains("missing.jsonl"));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(replay(empty.path(), Speed::Max).end, Err(Error::NoFeed { .. })));
    // Beside good feeds it costs only itself.
    write(&folder, "good.jsonl", feed(10).as_bytes());
    let seen = replay(folder.path(), Speed::Max);
    seen.end.unwrap();
    assert_eq!((seen.events.len(), seen.rejects.len()), (10, 1));
    assert!(seen.rejects[0].offset.contains("photo.jsonl"));
    #[cfg(not(feature = "parquet"))]
    {
        let path = write(&folder, "table.parquet", b"PAR1 and so on");
        let cause = replay(&path, Speed::Max).end.unwrap_err().to_string();
        assert!(cause.contains("--features parquet"), "{cause}");
    }
}

#[test]
fn files_of_a_folder_are_merged_by_event_time() {
    let folder = tempfile::tempdir().unwrap();
    let every = |step: i64, from: i64, to: i64, book: &str| -> String {
        (from..to).step_by(step as usize).map(|n| line(T0 + n, book) + "\n").collect()
    };
    write(&folder, "z-first.jsonl", every(2, 0, 6_000, "a").as_bytes());
    write(&folder, "a-second.jsonl", every(3, 1_000, 9_000, "b").as_bytes());
    write(&folder, "m-last.jsonl.gz", &gz(every(1, 20_000, 22_000, "c").as_bytes()));
    write(&folder, "empty.jsonl", b"");
    write(&folder, "notes.txt", b"not a feed");
    let seen = replay(folder.path(), Speed::Max);
    seen.end.unwrap();
    assert_eq!(seen.rejects, []);
    assert_eq!(seen.events.len(), 3_000 + 2_667 + 2_000);
    assert!(seen.events.is_sorted_by_key(|event| event.event_time));
    assert!(seen.chunks.iter().all(|chunk| chunk.events.len() <= crate::CHUNK_EVENTS_MAX));
    // At one time the order is that of the paths.
    let at = |ms: i64| seen.events.iter().filter(move |event| event.event_time.ms() == ms);
    let books: Vec<String> = at(T0 + 1_000).map(|event| format!("{:?}", event.fact)).collect();
    let id = |name: &str| format!("{:?}", schema::BookId::of(name));
    assert_eq!(books.len(), 2);
    assert!(books[0].contains(&id("b")) && books[1].contains(&id("a")));
}

#[test]
fn a_pace_waits_by_event_time_and_changes_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = [0, 0, 1_000, 61_000].iter().map(|gap| line(T0 + gap, "B") + "\n").collect();
    let path = write(&folder, "a.jsonl", text.as_bytes());
    let paced = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(async {
            let config = Config { speed: Speed::Times(10.0), ..Config::file(&path) };
            let (door, mut engine) = Door::pair();
            let running = tokio::spawn(Box::new(Replay::new("feed", config)).run(door));
            let start = tokio::time::Instant::now();
            let mut seen = Vec::new();
            while let Some(chunk) = engine.recv().await {
                let waited_ms = start.elapsed().as_millis() as i64;
                seen.extend(chunk.events.into_iter().map(|event| (waited_ms, event)));
            }
            running.await.unwrap().unwrap();
            seen
        });
    let waits: Vec<i64> = paced.iter().map(|(ms, _)| *ms - paced[0].0).collect();
    assert_eq!(waits, [0, 0, 100, 6_100]);
    let events: Vec<Event> = paced.into_iter().map(|(_, event)| event).collect();
    assert_eq!(events, replay(&path, Speed::Max).events);
}

#[test]
fn a_closed_door_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, "a.jsonl", feed(200_000).as_bytes());
    for speed in [Speed::Max, Speed::Times(0.001)] {
        runtime().block_on(async {
            let config = Config { speed, ..Config::file(&path) };
            let (door, mut engine) = Door::pair();
            let running = tokio::spawn(Box::new(Replay::new("feed", config)).run(door));
            assert!(engine.recv().await.is_some());
            drop(engine);
            let soon = std::time::Duration::from_secs(20);
            tokio::time::timeout(soon, running).await.unwrap().unwrap().unwrap();
        });
    }
}

#[test]
fn settings_read_and_refuse() {
    let read = |text: &str| serde_json::from_str::<SourceConfig>(text);
    let config = read(r#"{"type":"replay","path":"x","speed":"2.5x","stale_after":"3d"}"#).unwrap();
    let SourceConfig::Replay(replay) = &config else { panic!("{config:?}") };
    assert_eq!((replay.speed, replay.stale_after), (Speed::Times(2.5), Span::days(3)));
    assert_eq!(read(&serde_json::to_string(&config).unwrap()).unwrap(), config);
    for (bad, says) in [
        (r#"{"type":"replay","path":"x","sped":"max"}"#, "unknown field `sped`"),
        (r#"{"type":"replay"}"#, "missing field `path`"),
        (r#"{"type":"replay","path":"x","speed":"fast"}"#, "write max, step"),
        (r#"{"type":"replay","path":"x","speed":"0x"}"#, "write max, step"),
        (r#"{"type":"reply","path":"x"}"#, "unknown variant `reply`"),
    ] {
        let cause = read(bad).unwrap_err().to_string();
        assert!(cause.contains(says), "{bad}: {cause}");
    }
}

#[test]
fn a_path_is_guessed_by_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let guess = |path: &Path| crate::guess(path).map(|config| config.type_name());
    assert!(matches!(guess(folder.path()), Err(Error::NoFeed { .. })));
    let binary = write(&folder, "photo", &[0; 100]);
    assert!(matches!(guess(&binary), Err(Error::Guess { .. })));
    assert!(matches!(guess(&folder.path().join("nowhere")), Err(Error::Read { .. })));
    let lines = write(&folder, "feed", feed(2).as_bytes());
    assert_eq!(guess(&lines).unwrap(), "replay");
    write(&folder, "a.jsonl.zst", b"");
    assert_eq!(guess(folder.path()).unwrap(), "replay");
    let csv = write(&folder, "E0.csv", b"Div,Date\n");
    assert_eq!(guess(&csv).unwrap(), "football_data");
    assert_eq!(guess(folder.path()).unwrap(), "football_data");
}

#[cfg(feature = "parquet")]
mod tables {
    use std::fs::File;
    use std::sync::Arc;

    use arrow_array::{Int64Array, RecordBatch, StringArray};
    use arrow_schema::{DataType, Field, Schema};

    use super::*;
    use crate::simulate;
    use crate::tables::to_batch;

    fn season() -> (schema::Names, Vec<Event>) {
        let config = simulate::Config { leagues: 1, weeks: 2, ..simulate::Config::default() };
        simulate::Season::new(config).events("feed").unwrap()
    }

    fn without_statistics(mut events: Vec<Event>) -> Vec<Event> {
        for event in &mut events {
            if let schema::Fact::Result(fact) = &mut event.fact {
                fact.statistics = None;
            }
        }
        events
    }

    #[test]
    fn tables_give_the_facts_that_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let (names, events) = season();
        let batch = to_batch(&events, &names).unwrap();
        let parquet = folder.path().join("a.parquet");
        let file = File::create(&parquet).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let arrow = folder.path().join("b");
        let file = File::create(&arrow).unwrap();
        let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        let expected = without_statistics(events);
        for path in [parquet, arrow] {
            let seen = replay(&path, Speed::Max);
            seen.end.unwrap();
            assert_eq!(seen.rejects, []);
            assert!(seen.events == expected, "{}", path.display());
        }
    }

    #[test]
    fn other_tables_are_refused_and_bad_rows_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str, batch: &RecordBatch| {
            let path = folder.path().join(name);
            let file = File::create(&path).unwrap();
            let mut writer =
                parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(batch).unwrap();
            writer.close().unwrap();
            path
        };
        let table = |fields: Vec<Field>, kinds: Vec<&str>, times: Vec<i64>| {
            let columns: Vec<arrow_array::ArrayRef> =
                vec![Arc::new(StringArray::from(kinds)), Arc::new(Int64Array::from(times))];
            RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
        };
        let text = |name: &str| Field::new(name, DataType::Utf8, false);
        let number = |name: &str| Field::new(name, DataType::Int64, false);
        let path = save("a", &table(vec![text("type"), number("when")], vec!["mark"], vec![T0]));
        let cause = replay(&path, Speed::Max).end.unwrap_err().to_string();
        assert!(cause.contains("no column \"ts\""), "{cause}");
        let kinds = vec!["mark", "odds", "mark"];
        let path = save("b", &table(vec![text("type"), number("ts")], kinds, vec![T0, T0, 0]));
        let seen = replay(&path, Speed::Max);
        seen.end.unwrap();
        assert_eq!((seen.events.len(), seen.rejects.len()), (1, 2));
        assert_eq!(seen.events[0].event_time, schema::Time::from_ms(T0));
        std::fs::write(folder.path().join("c"), b"PAR1 and nothing else").unwrap();
        let end = replay(&folder.path().join("c"), Speed::Max).end;
        assert!(matches!(end, Err(Error::Table { .. })));
    }
}
