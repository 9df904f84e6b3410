//! A mail server for tests: takes mails over real SMTP (RFC 5321) on a port of its own, from any
//! number of servers and processes, keeps them as they came, and answers as a test has scripted.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use mail_parser::{Message, MessageParser};

/// How the server answers one try to deliver to a recipient.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To RCPT, with this line.
    ToRecipient(&'static str),
    /// To the end of DATA, with this line.
    ToData(&'static str),
    /// Takes the whole mail and hangs up without a word.
    Silence,
}

/// A mail that came through to the end of DATA.
#[derive(Clone, Debug)]
pub struct Received {
    pub from: String,
    pub to: Vec<String>,
    /// As sent, without the dots of the transport.
    pub raw: Vec<u8>,
    /// Whether it was answered with 250.
    pub taken: bool,
}

/// A running mail server; it stops listening when it is dropped.
pub struct Sink {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    received: Mutex<Vec<Received>>,
    scripts: Mutex<HashMap<String, VecDeque<Answer>>>,
    /// RCPT commands that named an address.
    tries: Mutex<HashMap<String, usize>>,
    /// What the server answers in a phase before any recipient is named, and how often that has
    /// changed.
    refusal: Mutex<(usize, Option<(&'static str, &'static str)>)>,
    /// Milliseconds that a mail takes.
    pace: AtomicU64,
    /// Where taken mails are written as files, as a server without a mail server does.
    folder: Mutex<Option<PathBuf>>,
    stopped: AtomicBool,
}

impl Sink {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                if serving.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&serving);
                // A caller that hangs up or is killed ends its conversation, nothing else.
                thread::spawn(move || drop(state.converse(&caller)));
            }
        });
        Self { address, state }
    }

    /// Writes what is taken into a folder besides, one file for each mail.
    pub fn keep_files_in(&self, folder: PathBuf) {
        std::fs::create_dir_all(&folder).unwrap();
        *self.state.folder.lock().unwrap() = Some(folder);
    }

    /// `SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// `SMTP_URL` with a user and a password.
    pub fn url_with_password(&self) -> String {
        format!("smtp://aims:secret@{}", self.address)
    }

    /// From now on everybody is answered with this line in this phase: `CONNECT`, `EHLO`, `AUTH`
    /// or `MAIL`; open conversations end.
    pub fn refuse(&self, refusal: Option<(&'static str, &'static str)>) {
        let mut present = self.state.refusal.lock().unwrap();
        *present = (present.0 + 1, refusal);
    }

    /// From now on a mail takes that long.
    pub fn take_time(&self, pace: Duration) {
        let pace = u64::try_from(pace.as_millis()).unwrap();
        self.state.pace.store(pace, Ordering::SeqCst);
    }

    /// The next tries to deliver to an address are answered like this, all further ones with 250.
    pub fn script(&self, address: &str, answers: &[Answer]) {
        let answers = answers.iter().cloned().collect();
        let mut scripts = self.state.scripts.lock().unwrap();
        scripts.insert(address.to_owned(), answers);
    }

    /// How often somebody tried to deliver to an address.
    pub fn tries(&self, address: &str) -> usize {
        let tries = self.state.tries.lock().unwrap();
        tries.get(address).copied().unwrap_or_default()
    }

    /// Everything that came through to the end of DATA, in order.
    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// The mails taken that remind of something, in order.
    pub fn reminders(&self) -> Vec<Received> {
        let mut mails = self.received();
        mails.retain(|mail| mail.taken && mail.text().contains("What is due:"));
        mails
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn converse(&self, caller: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(caller.try_clone()?);
        let say = |line: &str| (&*caller).write_all(format!("{line}\r\n").as_bytes());
        let begun = self.refusal.lock().unwrap().0;
        if let Some(refusal) = self.refusal_in("CONNECT") {
            return say(refusal);
        }
        say("220 sink.test ESMTP")?;
        let (mut from, mut to, mut answer) = (String::new(), Vec::new(), None);
        loop {
            let line = String::from_utf8_lossy(&line(&mut lines)?).into_owned();
            let verb = line.split([' ', ':']).next().unwrap_or_default();
            if self.refusal.lock().unwrap().0 != begun {
                return say("421 4.3.2 Starting again");
            }
            let verb = verb.to_ascii_uppercase();
            if let Some(refusal) = self.refusal_in(&verb) {
                say(refusal)?;
                continue;
            }
            match verb.as_str() {
                "EHLO" => {
                    say("250-sink.test\r\n250-8BITMIME\r\n250-AUTH PLAIN\r\n250 SMTPUTF8")?;
                }
                "AUTH" => say("235 2.7.0 Welcome")?,
                "HELO" | "NOOP" => say("250 sink.test")?,
                "MAIL" => {
                    (from, to, answer) = (path(&line), Vec::new(), None);
                    say("250 2.1.0 Sender fine")?;
                }
                "RCPT" => match self.script_for(&path(&line)) {
                    Some(Answer::ToRecipient(refusal)) => {
                        say(refusal)?;
                        if refusal.starts_with("421") {
                            return caller.shutdown(Shutdown::Both);
                        }
                    }
                    other => {
                        answer = answer.or(other);
                        to.push(path(&line));
                        say("250 2.1.5 Recipient fine")?;
                    }
                },
                "DATA" if to.is_empty() => say("503 5.5.1 No recipient")?,
                "DATA" => {
                    say("354 Go on")?;
                    let raw = data(&mut lines)?;
                    thread::sleep(Duration::from_millis(self.pace.load(Ordering::SeqCst)));
                    let mail = Received {
                        from: from.clone(),
                        to: std::mem::take(&mut to),
                        raw,
                        taken: answer.is_none(),
                    };
                    self.keep(mail);
                    match answer.take() {
                        None => say("250 2.0.0 Taken")?,
                        Some(Answer::Silence) => return caller.shutdown(Shutdown::Both),
                        Some(Answer::ToData(refusal) | Answer::ToRecipient(refusal)) => {
                            say(refusal)?;
                            if refusal.starts_with("421") {
                                return caller.shutdown(Shutdown::Both);
                            }
                        }
                    }
                }
                "RSET" => {
                    to.clear();
                    say("250 2.0.0 Forgotten")?;
                }
                "QUIT" => return say("221 2.0.0 Bye"),
                _ => say("500 5.5.2 Not understood")?,
            }
        }
    }

    fn refusal_in(&self, phase: &str) -> Option<&'static str> {
        let (_, refusal) = *self.refusal.lock().unwrap();
        refusal
            .filter(|(refused, _)| *refused == phase)
            .map(|(_, line)| line)
    }

    fn script_for(&self, address: &str) -> Option<Answer> {
        *self
            .tries
            .lock()
            .unwrap()
            .entry(address.to_owned())
            .or_default() += 1;
        let mut scripts = self.scripts.lock().unwrap();
        scripts.get_mut(address).and_then(VecDeque::pop_front)
    }

    /// Keeps a mail before it is answered, so that who waits for the answer finds it.
    fn keep(&self, mail: Received) {
        let mut received = self.received.lock().unwrap();
        if let Some(folder) = &*self.folder.lock().unwrap() {
            let file = folder.join(format!("{:06}.eml", received.len()));
            std::fs::write(file, &mail.raw).unwrap();
        }
        received.push(mail);
    }
}

/// A line without its end; the end of the conversation is an error.
fn line(lines: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    if lines.read_until(b'\n', &mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_ascii_end().len());
    Ok(line)
}

/// Lines until the single dot.
fn data(lines: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(raw);
        }
        raw.extend(line.strip_prefix(b".").unwrap_or(&line));
    }
}

/// The address in the angle brackets of a command.
fn path(line: &str) -> String {
    let rest = line.split_once('<').map(|(_, rest)| rest);
    let address = rest.and_then(|rest| rest.split_once('>'));
    address
        .map(|(address, _)| address)
        .unwrap_or_default()
        .to_owned()
}

impl Received {
    pub fn parsed(&self) -> Message<'_> {
        MessageParser::default().parse(&self.raw).unwrap()
    }

    pub fn subject(&self) -> String {
        self.parsed().subject().unwrap_or_default().to_owned()
    }

    pub fn message_id(&self) -> String {
        self.parsed().message_id().unwrap().to_owned()
    }

    pub fn text(&self) -> String {
        self.parsed().body_text(0).unwrap_or_default().into_owned()
    }

    pub fn html(&self) -> String {
        self.parsed().body_html(0).unwrap_or_default().into_owned()
    }

    /// Name of the recipient in the header.
    pub fn to_name(&self) -> String {
        let parsed = self.parsed();
        let to = parsed.to().and_then(|to| to.first());
        to.and_then(|to| to.name()).unwrap_or_default().to_owned()
    }

    /// Header lines as sent, unfolded.
    pub fn headers(&self) -> Vec<String> {
        let text = String::from_utf8(self.raw.clone()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        unfolded.split("\r\n").map(str::to_owned).collect()
    }
}
