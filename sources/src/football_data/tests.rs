use std::collections::BTreeSet;
use std::io::Write;

use proptest::prelude::*;
use schema::{Fact, FixtureId, Names, ResultStatus};
use tempfile::TempDir;

use super::*;
use crate::{Reject, SourceConfig, jsonl};

struct Seen {
    names: Names,
    events: Vec<Event>,
    rejects: Vec<Reject>,
    end: Result<(), Error>,
}

impl Seen {
    /// Facts and rejects as a person would check them.
    fn shown(&self, folder: &Path) -> String {
        let mut lines: Vec<String> = self
            .events
            .iter()
            .map(|event| {
                let line = jsonl::to_line(event, &self.names);
                let line = line.replace(&format!("\"ts\":{}", event.event_time.ms()), "");
                format!("{} {line}", event.event_time)
            })
            .collect();
        lines.extend(self.rejects.iter().map(|reject| {
            let place = reject.offset.replace(&folder.display().to_string(), "");
            format!("REJECT {place} {}\n    {}", reject.reason, reject.record)
        }));
        lines.join("\n")
    }
}

fn read(path: &Path) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = SourceConfig::FootballData(Config::folder(path));
        let source = config.open("fd").unwrap();
        let (door, mut engine) = Door::pair();
        let running = tokio::spawn(source.run(door));
        let mut seen =
            Seen { names: Names::default(), events: Vec::new(), rejects: Vec::new(), end: Ok(()) };
        while let Some(chunk) = engine.recv().await {
            assert!(chunk.events.len() <= CHUNK_EVENTS_MAX);
            assert!(chunk.rejects.len() <= CHUNK_REJECTS_MAX);
            for (_, name) in &chunk.names {
                seen.names.register(name).unwrap();
            }
            seen.events.extend(chunk.events);
            seen.rejects.extend(chunk.rejects);
        }
        seen.end = running.await.unwrap();
        assert!(seen.events.is_sorted_by_key(|event| event.event_time));
        seen
    })
}

fn file(folder: &TempDir, name: &str, text: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn shown(name: &str, text: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, name, text);
    let seen = read(folder.path());
    seen.end.as_ref().unwrap();
    seen.shown(folder.path())
}

const NEW: &str = "\u{feff}Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR,HTHG,HTAG,HTR,Referee,HS,AS,HST,AST,HC,AC,HY,AY,B365H,B365D,B365A,PSH,PSD,PSA,VCH,VCD,VCA,BFEH,BFED,BFEA,MaxH,MaxD,MaxA,AvgH,AvgD,AvgA,P>2.5,P<2.5,Avg>2.5,Avg<2.5,AHh,PAHH,PAHA,PSCH,PSCD,PSCA,VCCH,VCCD,VCCA,PC>2.5,PC<2.5,AHCh,PCAHH,PCAHA,,\r\n";

#[test]
fn a_row_of_a_new_season() {
    let row = "E0,12/08/2022,20:00, Northend ,Southby,2,1,H,1,0,H,\"A, Ref\",12,7,5,3,6,2,1,0,2,3.5,4,2.05,3.6,4.1,2,3.4,3.9,2.1,3.65,4.2,2.12,3.7,4.33,2.02,3.5,4,1.95,1.98,1.9,1.93,-0.5,2.06,1.86,1.95,3.7,4.4,1.91,3.5,4.5,1.9,2.02,-0.75,2.2,1.75,,\r\n";
    let blank = ",,,,,,,,,,,,\r\n";
    insta::assert_snapshot!(shown("E0_2223.csv", (NEW.to_owned() + row + blank).as_bytes()));
}

#[test]
fn a_row_of_an_old_season() {
    let text = "Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR,HS,AS,HFKC,AFKC,GBH,GBD,GBA,Bb1X2,BbMxH,BbAvH,BbMxD,BbAvD,BbMxA,BbAvA,BbOU,BbMx>2.5,BbAv>2.5,BbMx<2.5,BbAv<2.5,BbAH,BbAHh,BbMxAHH,BbAvAHH,BbMxAHA,BbAvAHA,GBAHH,GBAHA,GBAH\n\
        13/08/05,Northend,Southby,0,0,D,3,4,1,2,2.25,3.2,2.9,56,2.4,2.2,3.3,3.16,3.4,3.05,36,2.2,2.01,1.87,1.7,22,-0.25,2.1,2.01,1.92,1.84,1.9,1.95,0\n";
    insta::assert_snapshot!(shown("SP1_0506.csv", text.as_bytes()));
}

#[test]
fn a_missing_selection_leaves_the_others_and_an_awarded_match_its_result() {
    let text = "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,B365H,B365D,B365A,AHh,PAHH,PAHA\n\
        E0,13/08/2022,Northend,Southby,1,1,2.1,,3.6,-0.25,0,1.9\n\
        E0,13/08/2022,Westham,Eastley,3,0,,,,,,\n";
    insta::assert_snapshot!(shown("E0.csv", text.as_bytes()));
}

#[test]
fn bad_cells_cost_themselves_and_bad_rows_their_row() {
    let head = "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,HS,AS,B365H,B365D,B365A,AHh,PAHH,PAHA\n";
    let rows = [
        "E0,13/08/2022,15:00,A1,B1,1,1,5,4,NaN,-3.4,0.5,-0.25,1.9,text",
        "E0,13/08/2022,25:99,A2,B2,1,1,x,4,2.1,3.4,3.6,-0.3,1.9,1.9",
        "E0,13/08/2022,15:00,A3,B3,1,1,5,4,2.1,3.4,3.6,,1.9,1.9",
        "E0,13/08/2022,15:00,A4,B4,one,1,5,4,2.1,3.4,3.6,,,",
        "E0,01/01/1970,15:00,A5,B5,1,1,5,4,2.1,3.4,3.6,,,",
        "E0,2022-08-13,15:00,A6,B6,1,1,5,4,2.1,3.4,3.6,,,",
        "E0,13/08/2022,15:00,,B7,1,1,5,4,2.1,3.4,3.6,,,",
        "E0,13/08/2022,15:00,A8,B8,1,",
        "E0,13/08/2022,15:00,A9,B9,1,1,5,4,2.1,3.4,3.",
        "\"E0,13/08/2022,15:00,A10,B10,1,1,5,4,2.1,3.4,3.6,,,",
        "E0,13/08/2022,15:00,A11,B11,1,1,5,4,2.1,3.4,3.6,-0.25,1.9,1.9,junk,9,9",
        "E0,13/08/2022,15:00,A12,B12,,,,,2.1,3.4,3.6,,,",
        "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,B365H,B365D,B365A",
        "E0,14/08/2022,15:00,A13,B13,2,2,2.2,3.3,3.4",
    ];
    insta::assert_snapshot!(shown("E0_2223.csv", (head.to_owned() + &rows.join("\n")).as_bytes()));
}

#[test]
fn files_that_are_no_seasons_are_rejected_and_the_others_read() {
    let folder = tempfile::tempdir().unwrap();
    let row = |n: usize| format!("E0,13/08/2022,H{n},A{n},1,0\n");
    let head = "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG\n";
    let good = head.to_owned() + &(0..3_000).map(row).collect::<String>();
    file(&folder, "2223/good.csv", good.as_bytes());
    file(&folder, "other.csv", b"name,colour\nx,red\n");
    file(&folder, "picture.csv", &[0, 159, 146, 150].repeat(100));
    let long = head.to_owned() + &"x".repeat(10 << 20) + "\n" + &row(1);
    file(&folder, "long.csv", long.as_bytes());
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(good.replace("/2022", "/2021").as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    file(&folder, "cut.csv.gz", &packed[..packed.len() - 20]);
    file(&folder, ".hidden.csv", b"rubbish");
    let seen = read(folder.path());
    seen.end.unwrap();
    let reasons: Vec<String> = seen
        .rejects
        .iter()
        .map(|reject| {
            let name = reject.offset.rsplit('/').next().unwrap();
            format!("{name} {}", reject.reason)
        })
        .collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert!(reasons[0].starts_with("cut.csv.gz:") && reasons[0].contains("gzip ends early"));
    assert!(reasons[1].starts_with("long.csv:2 ") && reasons[1].contains("10485760 bytes"));
    assert!(reasons[2].starts_with("other.csv:1 ") && reasons[2].contains("HomeTeam"));
    assert!(reasons[3].starts_with("picture.csv:0 ") && reasons[3].contains("binary"));
    let results = seen.events.iter().filter(|event| matches!(event.fact, Fact::Result(_)));
    assert!(results.count() > 3_000 + 1 + 2_000);
    let alone = read(&folder.path().join("picture.csv"));
    assert!(matches!(alone.end, Err(Error::Binary { .. })));
}

#[test]
fn settings_need_one_place_to_read_from() {
    let open = |text: &str| {
        let config: SourceConfig = serde_json::from_str(text).unwrap();
        config.open("fd").err().map_or_else(String::new, |cause| cause.to_string())
    };
    assert_eq!(open(r#"{"type":"football_data","path":"x"}"#), "");
    for (bad, says) in [
        (r#"{"type":"football_data"}"#, "either a path or a url"),
        (r#"{"type":"football_data","path":"x","url":"http://y"}"#, "either a path or a url"),
        (r#"{"type":"football_data","url":"ftp://y"}"#, "http://"),
        (r#"{"type":"football_data","url":"http://y","seasons":["2223"]}"#, "divisions"),
        (
            r#"{"type":"football_data","url":"http://y","seasons":["2223"],"divisions":["E0"],"poll":"1s"}"#,
            "1m or more",
        ),
    ] {
        assert!(open(bad).contains(says), "{bad}: {}", open(bad));
    }
    let misspelt = r#"{"type":"football_data","pth":"x"}"#;
    assert!(serde_json::from_str::<SourceConfig>(misspelt).is_err());
}

#[test]
fn old_encodings_read() {
    let text = b"Div,Date,HomeTeam,AwayTeam,FTHG,FTAG\nD1,13/08/2022,K\xf6ln,Caf\x80,1,0\n";
    assert!(shown("D1.csv", text).contains("D1|2022-08-13|Köln|Caf€"));
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(
        head in "(Div|Date|HomeTeam|AwayTeam|FTHG|[A-Z]{1,3}[HDAC><2.5h]{0,4}|,){0,40}",
        lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 0..4),
    ) {
        let mut text = format!("Date,HomeTeam,AwayTeam,{head}\n").into_bytes();
        for line in lines {
            text.extend(line);
            text.push(b'\n');
        }
        let mut season = Season::new("fd").unwrap();
        season.read(0, "x.csv", text.as_slice(), |_, cause| cause.to_string());
        let mut events = Vec::new();
        for due in season.schedule() {
            season.facts(&due, None, &mut events);
        }
    }

    #[test]
    fn any_cells_either_give_a_row_or_a_reason(
        cells in proptest::collection::vec("[0-9./:a-zN-]{0,8}", 15),
    ) {
        let head = "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,HS,AS,B365H,B365D,B365A,AHh,PAHH,PAHA\n";
        let text = format!("{head}{}\n", cells.join(","));
        let mut season = Season::new("fd").unwrap();
        season.read(0, "x.csv", text.as_bytes(), |_, cause| cause.to_string());
        let blank = cells.iter().all(String::is_empty);
        prop_assert!(blank || !season.schedule().is_empty() || season.rejects.len() == 1);
    }
}

/// Every row with a result of the recorded seasons is there, and little is refused.
#[test]
fn recorded_seasons_are_read_whole() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/football"));
    if !folder.exists() {
        eprintln!("SKIPPED: no recorded seasons at {}", folder.display());
        return;
    }
    let seen = read(folder);
    seen.end.as_ref().unwrap();
    for reject in &seen.rejects {
        eprintln!("{} {}", reject.offset.rsplit('/').next().unwrap(), reject.reason);
    }
    let mut results: BTreeSet<FixtureId> = BTreeSet::new();
    let mut fixtures: BTreeSet<FixtureId> = BTreeSet::new();
    let mut keys: Vec<(Time, u64)> = Vec::new();
    let mut quotes = 0;
    for event in &seen.events {
        match &event.fact {
            Fact::Result(fact) => {
                assert_eq!(fact.status, ResultStatus::Final);
                assert!(fixtures.contains(&fact.fixture), "a result before its fixture");
                results.insert(fact.fixture);
            }
            Fact::Fixture(fact) => assert!(fixtures.insert(fact.fixture)),
            Fact::Quote(quote) => {
                assert!(fixtures.contains(&quote.fixture), "a quote before its fixture");
                quotes += 1;
            }
            other => panic!("{other:?}"),
        }
        keys.push((event.event_time, event.sequence));
    }
    keys.sort_unstable();
    assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "two facts in one place");
    assert_eq!((results.len(), fixtures.len()), (57_766, 57_767));
    assert!(quotes > 1_000_000 && seen.rejects.len() < 20, "{quotes} {}", seen.rejects.len());
    assert!(seen.names.contains(FixtureId::of("E0|2022-08-05|Crystal Palace|Arsenal")));
}
