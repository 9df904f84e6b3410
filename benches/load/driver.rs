//! Sends requests over keep-alive connections and measures the answers.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::Outcome;

/// Connections of a round.
pub const CONNECTIONS: usize = 32;
/// What is not counted at the start of a round.
const WARM_UP: Duration = Duration::from_millis(500);

/// What a script needs to know of an answer.
#[derive(Default)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// `ETag`.
    pub etag: Option<String>,
    /// Path of the next page, from `Link`.
    pub next: Option<String>,
}

/// Gives the next request of one connection, as it is sent; knows the last answer.
pub type Script = Box<dyn FnMut(Option<&Answer>) -> String>;

/// What a round has measured.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Answers a second.
    pub rate: f64,
    /// Median.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// CPU time of one request, in milliseconds.
    pub cpu_ms: f64,
}

/// A keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(128 * 1024),
        })
    }

    /// Sends a request and reads the whole answer; fails unless it is 2xx.
    pub async fn ask(&mut self, request: &str) -> Outcome<Answer> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head_end = loop {
            let seen = self.buffer.len().saturating_sub(3);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server has closed the connection".into());
            }
            let fresh = self.buffer.get(seen..).unwrap_or_default();
            if let Some(at) = fresh.windows(4).position(|four| four == b"\r\n\r\n") {
                break seen + at + 4;
            }
        };
        let head = self.buffer.get(..head_end).unwrap_or_default();
        let (answer, length) = parse_head(std::str::from_utf8(head)?)?;
        while self.buffer.len() < head_end + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server has closed the connection".into());
            }
        }
        if !(200..300).contains(&answer.status) {
            let text = String::from_utf8_lossy(&self.buffer).into_owned();
            return Err(format!("{request}\n\n{text}").into());
        }
        Ok(answer)
    }
}

fn parse_head(head: &str) -> Outcome<(Answer, usize)> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let mut answer = Answer {
        status: status.unwrap_or_default().parse()?,
        ..Answer::default()
    };
    let mut length = 0;
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse()?;
        } else if name.eq_ignore_ascii_case("etag") {
            answer.etag = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("link") {
            let path = value
                .strip_prefix('<')
                .and_then(|rest| rest.split_once('>'));
            answer.next = path.map(|(path, _)| path.to_owned());
        }
    }
    Ok((answer, length))
}

/// Loads a server for a while. `cpu` tells the time that what is measured has used so far.
pub fn run(
    address: SocketAddr,
    connections: usize,
    length: Duration,
    scripts: impl Fn(usize) -> Script,
    cpu: impl Fn() -> Duration,
) -> Outcome<Round> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let times: Rc<RefCell<Vec<Duration>>> = Rc::default();
    let local = LocalSet::new();
    let used = local.block_on(&runtime, async {
        // The first answers may have to wait until everything has started.
        let mut ready = Vec::new();
        for number in 0..connections {
            let (mut script, mut connection) = (scripts(number), Connection::open(address).await?);
            let first = connection.ask(&script(None)).await?;
            ready.push((script, connection, first));
        }
        let from = Instant::now() + WARM_UP;
        let until = from + length;
        let mut tasks = Vec::new();
        for (mut script, mut connection, first) in ready {
            let times = Rc::clone(&times);
            tasks.push(tokio::task::spawn_local(async move {
                let mut last = Some(first);
                loop {
                    let request = script(last.as_ref());
                    let start = Instant::now();
                    last = match connection.ask(&request).await {
                        Ok(answer) => Some(answer),
                        Err(error) => return Err(error.to_string()),
                    };
                    let end = Instant::now();
                    if end >= until {
                        return Ok(());
                    }
                    if end >= from {
                        times.borrow_mut().push(end - start);
                    }
                }
            }));
        }
        tokio::time::sleep_until(from.into()).await;
        let before = cpu();
        tokio::time::sleep_until(until.into()).await;
        let used = cpu().saturating_sub(before);
        for task in tasks {
            task.await??;
        }
        Outcome::Ok(used)
    })?;
    let times = std::mem::take(&mut *times.borrow_mut());
    summary(times, length, used)
}

/// Makes a round of the times of its requests.
pub fn summary(mut times: Vec<Duration>, length: Duration, used: Duration) -> Outcome<Round> {
    times.sort_unstable();
    let count = u32::try_from(times.len())?;
    let last = times.last().copied().ok_or("nothing was answered")?;
    let at = |percent: usize| times.get(times.len() * percent / 100).copied();
    Ok(Round {
        rate: f64::from(count) / length.as_secs_f64(),
        p50: at(50).unwrap_or(last),
        p99: at(99).unwrap_or(last),
        cpu_ms: used.as_secs_f64() * 1000.0 / f64::from(count),
    })
}

/// The middle one by rate, with medians of the other figures.
pub fn median(rounds: &[Round]) -> Outcome<Round> {
    let middle = |of: &dyn Fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let seconds = |of: &dyn Fn(&Round) -> f64| middle(of).map(Duration::from_secs_f64);
    let none = "no round";
    Ok(Round {
        rate: middle(&|round| round.rate).ok_or(none)?,
        p50: seconds(&|round| round.p50.as_secs_f64()).ok_or(none)?,
        p99: seconds(&|round| round.p99.as_secs_f64()).ok_or(none)?,
        cpu_ms: middle(&|round| round.cpu_ms).ok_or(none)?,
    })
}

/// Numbers that look random; the same in every run.
pub struct Dice(u64);

impl Dice {
    /// Different for each seed.
    pub fn new(seed: usize) -> Self {
        let seed = u64::try_from(seed).unwrap_or_default() + 1;
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// From 1 to `most`.
    pub fn roll(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most.max(1) + 1
    }
}
