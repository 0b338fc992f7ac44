//! `ocellus watch` as a service: ready, alive, stuck, ended. The test is the service manager.
#![allow(missing_docs)]

use ocellus_tests::{Clip, ocellus, program};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixDatagram,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// No answer takes so long, emulated ones included.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service manager and the service that it has started.
struct Service {
    _folder: TempDir,
    ear: UnixDatagram,
    child: Child,
}

impl Service {
    fn start(source: &str, labels: &str, variables: &[(&str, &str)]) -> Service {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let ear = UnixDatagram::bind(&path).expect("a socket");
        let list = folder.path().join("labels.txt");
        fs::write(&list, labels).expect("a file");
        let clip = folder.path().join("clip.y4m");
        let mut frames = Clip::new();
        frames.pictures = [&frames.pictures[..]; 20].concat();
        fs::write(&clip, frames.y4m()).expect("a file");
        let source = source.replace("CLIP", &clip.display().to_string());
        let words = program();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .args([
                "watch",
                "--source",
                &source,
                "--resolution",
                "112",
                "--json",
            ])
            .arg("--labels-file")
            .arg(&list)
            .env("NOTIFY_SOCKET", &path)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program");
        let service = Service {
            _folder: folder,
            ear,
            child,
        };
        assert_eq!(service.hear(PATIENCE).as_deref(), Some("READY=1"));
        service
    }

    /// What the service says next, if it says something in time.
    fn hear(&self, patience: Duration) -> Option<String> {
        self.ear.set_read_timeout(Some(patience)).expect("a time");
        let mut heard = [0; 256];
        let bytes = self.ear.recv(&mut heard).ok()?;
        Some(String::from_utf8_lossy(&heard[..bytes]).into_owned())
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill").success());
    }

    /// Waits for the end: the exit code and standard error.
    fn end(mut self) -> (Option<i32>, String) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("a child");
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().expect("piped");
        stderr.read_to_string(&mut said).expect("text");
        (status.code(), said)
    }
}

/// So many labels that a line of JSON fills a pipe: who writes it waits for who reads it.
fn many_labels() -> String {
    let words = [
        "red", "blue", "old", "small", "wooden", "big", "wet", "dark", "round", "shiny",
    ];
    let nouns = [
        "cat", "dog", "bus", "cup", "tree", "house", "boat", "horse", "chair", "lamp",
    ];
    let label = |i: usize| {
        format!(
            "{} {} {}\n",
            words[i / 100],
            words[i / 10 % 10],
            nouns[i % 10]
        )
    };
    (0..1000).map(label).collect()
}

#[test]
fn a_stuck_worker_starves_the_watchdog_and_a_slow_one_does_not() {
    let watchdog = [("WATCHDOG_USEC", "400000")];
    let mut service = Service::start("CLIP", &many_labels(), &watchdog);
    let mut answers = BufReader::new(service.child.stdout.take().expect("piped"));
    let mut line = String::new();
    // Slow: each answer is shown for longer than the manager's patience before the next can be.
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(500));
        line.clear();
        answers.read_line(&mut line).expect("an answer");
        assert!(line.len() > 1 << 16, "a line fills a pipe");
        assert_eq!(service.hear(PATIENCE).as_deref(), Some("WATCHDOG=1"));
    }
    // Stuck: nobody reads, and the worker waits inside of an answer. What it said before that is old news.
    while service.hear(Duration::from_millis(400)).is_some() {}
    assert_eq!(service.hear(Duration::from_millis(1500)), None);
    // What a manager then does.
    service.signal("KILL");
    assert_eq!(service.child.wait().expect("a child").code(), None);
}

#[test]
fn a_service_that_waits_for_frames_is_alive_and_ends_when_it_is_told_to() {
    let watchdog = [("WATCHDOG_USEC", "1000000")];
    for signal in ["TERM", "INT"] {
        let mut service = Service::start("raw:96x64:i420", "a cat\na dog", &watchdog);
        for _ in 0..2 {
            assert_eq!(service.hear(PATIENCE).as_deref(), Some("WATCHDOG=1"));
        }
        let frame = &Clip::new().raw("YU12")[..9216];
        let mut input = service.child.stdin.take().expect("piped");
        input.write_all(frame).expect("a reader");
        let mut answers = BufReader::new(service.child.stdout.take().expect("piped"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("an answer");
        assert!(line.contains("\"label\":\"a cat\""), "{line}");
        service.signal(signal);
        loop {
            match service.hear(PATIENCE).as_deref() {
                Some("WATCHDOG=1") => {}
                other => break assert_eq!(other, Some("STOPPING=1")),
            }
        }
        // The writer is still there: it is the signal that ends it.
        let (code, said) = service.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("1 frames answered"), "{said}");
        drop(input);
    }
}

#[test]
fn a_watchdog_of_another_process_is_left_alone() {
    let variables = [("WATCHDOG_USEC", "1"), ("WATCHDOG_PID", "1")];
    let mut service = Service::start("CLIP", "a cat\na dog", &variables);
    let mut answers = BufReader::new(service.child.stdout.take().expect("piped"));
    let mut line = String::new();
    answers.read_line(&mut line).expect("an answer");
    service.signal("TERM");
    // The first thing said after READY=1 is the end.
    assert_eq!(service.hear(PATIENCE).as_deref(), Some("STOPPING=1"));
    drop(answers);
    assert_eq!(service.end().0, Some(0));
}

#[test]
fn the_settings_that_are_handed_out_are_a_call_that_works() {
    let settings = fs::read_to_string("../boards/service/watch.conf").expect("a file");
    let options = settings
        .lines()
        .find_map(|line| line.strip_prefix("OCELLUS_WATCH="));
    let options = options.expect("the service's variable");
    // The service manager splits as a shell does.
    let split = format!("printf '%s\\n' {options}");
    let words = Command::new("sh")
        .args(["-c", &split])
        .output()
        .expect("a shell");
    let words = String::from_utf8(words.stdout).expect("text");
    let mut call = vec!["watch", "--wait"];
    call.extend(words.lines().map(|word| match word {
        "/dev/video0" => "data/photos",
        word => word,
    }));
    let run = ocellus(call.into_iter().chain(["--frames", "1"]));
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json()[0]["labels"].as_array().map(Vec::len), Some(3));
    let unit = fs::read_to_string("../boards/service/ocellus-watch.service").expect("a file");
    for line in [
        "Type=notify",
        "WatchdogSec=30",
        "EnvironmentFile=/etc/ocellus/watch.conf",
    ] {
        assert!(unit.lines().any(|have| have == line), "{line}");
    }
}
