//! The same files over HTTP: asked for at intervals, politely (`ETag` and `Last-Modified` are sent
//! back), and compared row by row, so that a poll says only what is new.
//!
//! A price that changes between polls is a later reading of the same collection and replaces it; a
//! result that changes is a correction and is known from the poll that saw it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use schema::{Clock, FixtureId};

use super::season::{Due, Phase, Season};
use super::{Config, hand_over};
use crate::{Door, Error};

/// Longest time one file may take.
const FETCH_TIMEOUT: Duration = Duration::from_mins(1);
/// Most bytes of one file.
const BODY_BYTES_MAX: u64 = 32 << 20;
/// Said to the server, so that its owner knows whom to blame.
const USER_AGENT: &str = concat!("tideline/", env!("CARGO_PKG_VERSION"));

/// One file on the server.
struct Remote {
    number: u16,
    url: String,
    etag: Option<String>,
    modified: Option<String>,
    /// What was wrong with it last, so that it is said once and not at every poll.
    failure: Option<String>,
    text: Option<Vec<u8>>,
}

/// What is already known of a fixture: a fingerprint of each phase, and how often it has changed.
#[derive(Clone, Copy, Default)]
struct Known {
    prints: [Option<u64>; Phase::ALL.len()],
    revision: u16,
}

struct Poller {
    agent: ureq::Agent,
    clock: Arc<dyn Clock>,
    remotes: Vec<Remote>,
    known: BTreeMap<FixtureId, Known>,
    season: Season,
}

/// Polls until the door closes.
pub(super) async fn run(
    name: String,
    config: Config,
    clock: Arc<dyn Clock>,
    door: Door,
) -> Result<(), Error> {
    let mut poller = Poller::new(&name, &config, clock)?;
    let pause = Duration::from_millis(config.poll.ms().max(0) as u64);
    loop {
        let through = door.clone();
        poller = crate::blocking(&name, move || {
            poller.poll(&through);
            Ok(poller)
        })
        .await?;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = door.closed() => return Ok(()),
        }
    }
}

impl Poller {
    fn new(name: &str, config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(FETCH_TIMEOUT))
            .http_status_as_error(false)
            .user_agent(USER_AGENT)
            .build()
            .new_agent();
        let base = config.url.as_deref().unwrap_or_default().trim_end_matches('/');
        let files = config.seasons.iter().flat_map(|season| {
            config.divisions.iter().map(move |division| format!("{base}/{season}/{division}.csv"))
        });
        let remotes = files.zip(0_u16..).map(|(url, number)| Remote {
            number,
            url,
            etag: None,
            modified: None,
            failure: None,
            text: None,
        });
        let remotes = remotes.collect();
        Ok(Self { agent, clock, remotes, known: BTreeMap::new(), season: Season::new(name)? })
    }

    /// Asks for every file and hands over what is new.
    fn poll(&mut self, door: &Door) {
        self.season.clear();
        let mut total_bytes = 0;
        for remote in &mut self.remotes {
            if door.is_closed() {
                return;
            }
            match remote.fetch(&self.agent) {
                Ok(()) => remote.failure = None,
                Err(reason) => {
                    if remote.failure.as_deref() != Some(reason.as_str()) {
                        self.season.reject(&remote.url, 0, reason.clone(), b"");
                    }
                    remote.failure = Some(reason);
                }
            }
            if let Some(text) = remote.text.take() {
                total_bytes += text.len() as u64;
                let broken = |_: &&[u8], cause: &std::io::Error| cause.to_string();
                self.season.read(remote.number, &remote.url, text.as_slice(), broken);
            }
        }
        let schedule = self.news();
        let now = self.clock.now();
        // A closed door is how a source is told to stop; the caller sees it too.
        let _stopped = hand_over(&mut self.season, &schedule, Some(now), total_bytes, door);
    }

    /// What is due of the rows just read: phases that are new or have changed.
    fn news(&mut self) -> Vec<Due> {
        let now = self.clock.now();
        let mut schedule = self.season.schedule();
        let prints: Vec<(FixtureId, Option<u64>)> =
            schedule.iter().map(|due| (self.season.fixture(due), self.print(due))).collect();
        let mut news = Vec::new();
        for (due, (fixture, print)) in schedule.iter_mut().zip(prints) {
            let Some(print) = print else { continue };
            let known = self.known.entry(fixture).or_default();
            let before = known.prints[due.phase as usize].replace(print);
            if before == Some(print) {
                continue;
            }
            if before.is_some() {
                known.revision = known.revision.saturating_add(1);
                if due.phase == Phase::Result {
                    due.time = due.time.max(now);
                }
            }
            due.revision = known.revision;
            news.push(*due);
        }
        news.sort_unstable();
        news
    }

    /// A fingerprint of what a phase says, wherever in the file it stands; `None` for nothing.
    fn print(&self, due: &Due) -> Option<u64> {
        let mut facts = Vec::new();
        self.season.facts(due, None, &mut facts);
        if facts.is_empty() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        for event in &facts {
            event.event_time.hash(&mut hasher);
            match &event.fact {
                schema::Fact::Fixture(fact) => fact.hash(&mut hasher),
                schema::Fact::Quote(fact) => fact.hash(&mut hasher),
                schema::Fact::Result(fact) => fact.hash(&mut hasher),
                _ => {}
            }
        }
        Some(hasher.finish())
    }
}

impl Remote {
    /// Fetches the file unless the server says that it is the same.
    fn fetch(&mut self, agent: &ureq::Agent) -> Result<(), String> {
        let mut request = agent.get(&self.url);
        if let Some(etag) = &self.etag {
            request = request.header("If-None-Match", etag);
        }
        if let Some(modified) = &self.modified {
            request = request.header("If-Modified-Since", modified);
        }
        let again = "it is asked for again at the next poll";
        let mut response =
            request.call().map_err(|cause| format!("cannot be fetched: {cause}; {again}"))?;
        match response.status().as_u16() {
            200 => {}
            304 => return Ok(()),
            status => return Err(format!("server answers {status}; {again}")),
        }
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (etag, modified) = (header("ETag"), header("Last-Modified"));
        let mut text = Vec::new();
        let body = response.body_mut().as_reader();
        let read = body.take(BODY_BYTES_MAX + 1).read_to_end(&mut text);
        read.map_err(|cause| format!("breaks off: {cause}; {again}"))?;
        if text.len() as u64 > BODY_BYTES_MAX {
            return Err(format!("is over {BODY_BYTES_MAX} bytes: not a season's file; {again}"));
        }
        // Only what was read whole may be skipped next time.
        (self.etag, self.modified, self.text) = (etag, modified, Some(text));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Mutex;

    use schema::{Fact, ManualClock};

    use super::*;
    use crate::SourceConfig;

    /// A web server of one file, as much as a poll needs of one.
    struct Server {
        base: String,
        state: Arc<Mutex<State>>,
    }

    #[derive(Default)]
    struct State {
        text: String,
        version: u32,
        log: Vec<String>,
    }

    impl Server {
        fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let base = format!("http://{}/mmz4281/", listener.local_addr().unwrap());
            let state = Arc::new(Mutex::new(State::default()));
            let shared = Arc::clone(&state);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    answer(stream.unwrap(), &shared);
                }
            });
            Self { base, state }
        }

        fn put(&self, text: &str) {
            let mut state = self.state.lock().unwrap();
            state.text = text.to_owned();
            state.version += 1;
        }

        fn log(&self) -> Vec<String> {
            std::mem::take(&mut self.state.lock().unwrap().log)
        }
    }

    fn answer(mut stream: TcpStream, state: &Mutex<State>) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut asked = String::new();
        loop {
            let mut line = String::new();
            if reader.by_ref().take(4096).read_line(&mut line).unwrap() == 0 || line == "\r\n" {
                break;
            }
            if line.to_ascii_lowercase().starts_with("if-none-match:") {
                asked = line[14..].trim().to_owned();
            }
        }
        let mut state = state.lock().unwrap();
        let tag = format!("\"v{}\"", state.version);
        let (status, body) = if path != "/mmz4281/2223/E0.csv" {
            ("404 Not Found", String::new())
        } else if asked == tag {
            ("304 Not Modified", String::new())
        } else {
            ("200 OK", state.text.clone())
        };
        state.log.push(format!("{path} {}", &status[..3]));
        let head = format!(
            "HTTP/1.1 {status}\r\nETag: {tag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
    }

    #[test]
    fn a_poll_says_only_what_is_new() {
        let server = Server::start();
        let clock = Arc::new(ManualClock::at("2022-08-13T20:00:00Z".parse().unwrap()));
        let config = Config {
            path: None,
            url: Some(server.base.clone()),
            seasons: vec!["2223".into()],
            divisions: vec!["E0".into(), "E9".into()],
            ..Config::folder("")
        };
        let mut poller = Poller::new("fd", &config, clock.clone()).unwrap();
        let mut poll = || {
            let (door, mut engine) = Door::pair();
            poller.poll(&door);
            drop(door);
            let mut facts = Vec::new();
            let mut rejects = Vec::new();
            while let Some(chunk) = engine.blocking_recv() {
                facts.extend(chunk.events);
                rejects.extend(chunk.rejects);
            }
            (facts, rejects)
        };
        let head = "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,B365H,B365D,B365A\n";
        let first = "E0,13/08/2022,A,B,1,0,2.1,3.4,3.6\n";
        server.put(&(head.to_owned() + first + "E0,20/08/2022,C,D,,,1.9,3.4,4.2\n"));
        let (facts, rejects) = poll();
        assert_eq!(facts.len(), 3 + 2, "{facts:?}");
        assert!(facts.iter().all(|event| event.received_time == clock.now()));
        assert_eq!(rejects.len(), 1, "{rejects:?}");
        assert!(rejects[0].reason.contains("404"));
        assert_eq!(server.log(), ["/mmz4281/2223/E0.csv 200", "/mmz4281/2223/E9.csv 404"]);
        // Nothing new: not even the missing file is complained about again.
        assert!(matches!(poll(), (facts, rejects) if facts.is_empty() && rejects.is_empty()));
        assert_eq!(server.log()[0], "/mmz4281/2223/E0.csv 304");
        // A row more above the others, a corrected result, a moved price, a first result.
        clock.set("2022-08-21T08:00:00Z".parse().unwrap());
        let new = "E0,12/08/2022,E,F,0,0,,,\n";
        let moved = "E0,20/08/2022,C,D,2,2,1.95,3.4,4.2\n";
        server.put(&(head.to_owned() + new + &first.replace(",1,0,", ",1,1,") + moved));
        let (facts, rejects) = poll();
        assert!(rejects.is_empty());
        let shown: Vec<String> = facts
            .iter()
            .map(|event| {
                let what = match &event.fact {
                    Fact::Fixture(_) => "fixture".to_owned(),
                    Fact::Quote(quote) => format!("quote {}", quote.prices[0]),
                    Fact::Result(fact) => format!("result {}-{}", fact.score.home, fact.score.away),
                    other => panic!("{other:?}"),
                };
                format!("{} {what} revision {}", event.event_time, event.sequence >> 48)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "2022-08-09T13:59:00Z fixture revision 0",
                "2022-08-12T16:00:00Z result 0-0 revision 0",
                "2022-08-19T14:00:00Z quote 1.95 revision 1",
                "2022-08-20T16:00:00Z result 2-2 revision 1",
                "2022-08-21T08:00:00Z result 1-1 revision 1",
            ]
        );
    }

    #[test]
    fn a_server_that_is_away_stops_nothing() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = Config {
            path: None,
            url: Some(format!("http://{address}")),
            seasons: vec!["2223".into()],
            divisions: vec!["E0".into()],
            ..Config::folder("")
        };
        let source = SourceConfig::FootballData(config).open("fd").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (door, mut engine) = Door::pair();
            let running = tokio::spawn(source.run(door));
            let chunk = engine.recv().await.unwrap();
            assert!(chunk.rejects[0].reason.contains("asked for again"), "{:?}", chunk.rejects);
            drop(engine);
            running.await.unwrap().unwrap();
        });
    }
}
