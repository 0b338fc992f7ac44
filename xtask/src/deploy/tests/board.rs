//! A board that is played: this machine's own sshd on loopback, with programs in front that tell of another machine, or
//! kill everything at a step.

use super::super::*;
use crate::scratch::Scratch;
use crate::setup::SSHD;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A board's part, played until the value goes.
pub struct Board {
    pub scratch: Scratch,
    sshd: Child,
    pub port: u16,
}

/// How the program of an archive takes its deploy.
#[derive(Clone, Copy, PartialEq)]
pub enum Program {
    Healthy,
    /// It does not run on this board.
    Unhealthy,
    /// It runs, but not where it is put to use.
    UnhealthyInUse,
}

/// What the board's script calls, one after the other, and could be killed at.
const STEPS: [&str; 13] = [
    "uname",
    "getconf",
    "mkdir",
    "flock",
    "cat",
    "readlink",
    "df",
    "rm",
    "sha256sum",
    "tar",
    "sync",
    "mv",
    "ln",
];

/// What a board's own programs say.
pub const UNAME: &str = "echo aarch64";
pub const GETCONF: &str = "case $1 in LONG_BIT) echo 64 ;; *) echo glibc 2.36 ;; esac";

/// A program's `bench`: the page is the file that is compared with, the exit code is what is asked for.
const BENCH: &str = r#"
[ "$1" = bench ] || exit 0
while shift && [ $# -gt 0 ]; do
    case $1 in
    --compare) cp "$2" page.html ;;
    --exit) exit "$2" ;;
    esac
done
"#;

impl Board {
    pub fn new(name: &str) -> Board {
        let scratch =
            Scratch::beside(&std::env::temp_dir().join(format!("ocellus-board-{name}"))).unwrap();
        let at = |file: &str| scratch.path.join(file).display().to_string();
        for key in ["host_key", "key", "other_key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]);
            process::capture(&mut keygen).unwrap();
        }
        fs::copy(at("key.pub"), at("authorized")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             SetEnv PATH={}:/usr/local/bin:/usr/bin:/bin HOME={}\n",
            at("host_key"),
            at("authorized"),
            at("bin"),
            // What the user's own shell does when it starts is not killed.
            at("home"),
        );
        fs::write(at("sshd_config"), config).unwrap();
        client(&scratch.path, "ssh_config", "key");
        client(&scratch.path, "other_config", "other_key");
        for folder in ["bin", "home"] {
            fs::create_dir(at(folder)).unwrap();
        }
        let board = Board {
            sshd: sshd(&scratch.path),
            scratch,
            port,
        };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "sshd does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        board.says("uname", UNAME);
        board.says("getconf", GETCONF);
        board
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.scratch.path.join(file)
    }

    /// Puts a program in front of the machine's own.
    pub fn says(&self, name: &str, script: &str) {
        let file = self.path("bin").join(name);
        executable(&file, &format!("#!/bin/sh\n{script}\n"));
    }

    /// Kills what runs on the board, as a power cut does, when it calls a program for the `nth` time.
    pub fn kill_at(&self, nth: u32) {
        fs::write(self.path("count"), "0\n").unwrap();
        fs::write(self.path("kill_at"), format!("{nth}\n")).unwrap();
        let folder = self.scratch.path.display();
        for name in STEPS {
            let real = match name {
                "uname" => UNAME.into(),
                "getconf" => GETCONF.into(),
                name => format!(
                    "exec {} \"$@\"",
                    process::find(name).expect("a program").display()
                ),
            };
            self.says(
                name,
                &format!(
                    "read -r n <'{folder}/count'; read -r at <'{folder}/kill_at'; n=$((n + 1)); echo $n >'{folder}/count'\n\
                     [ $n -ne $at ] || kill -9 0\n{real}"
                ),
            );
        }
    }

    pub fn place(&self) -> Place {
        self.args().place
    }

    pub fn args(&self) -> Args {
        Args {
            board: this_board(),
            place: Place {
                host: Some("127.0.0.1".into()),
                port: Some(self.port),
                dir: Some(self.path("home/it's here").display().to_string()),
                ssh_config: Some(self.path("ssh_config")),
            },
            restart: None,
            health: None,
            archive: None,
            rollback: false,
        }
    }

    /// An archive as `dist` makes them, of a program that says which version it is.
    pub fn archive(&self, version: &str, program: Program) -> PathBuf {
        let folder = self.path(&format!("made/{version}"));
        fs::create_dir_all(folder.join("ocellus/bin")).unwrap();
        fs::create_dir_all(folder.join("ocellus/share")).unwrap();
        let unhealthy = match program {
            Program::Healthy => "",
            Program::Unhealthy => "echo not on this board; exit 1",
            Program::UnhealthyInUse => "case $0 in current/*) echo not here; exit 1 ;; esac",
        };
        executable(
            &folder.join("ocellus/bin/ocellus"),
            &format!("#!/bin/sh\n{unhealthy}\n{BENCH}"),
        );
        fs::write(
            folder.join("ocellus/share/version"),
            version.repeat(100_000),
        )
        .unwrap();
        let file = folder.join("ocellus.tar.gz");
        let mut tar = Command::new("tar");
        tar.arg("-czf")
            .arg(&file)
            .arg("-C")
            .arg(&folder)
            .arg("ocellus");
        process::capture(&mut tar).unwrap();
        crate::dist::sums(&folder).unwrap();
        file
    }

    pub fn deploy(&self, version: &str, program: Program) -> Result<()> {
        let archive = Some(self.archive(version, program));
        run_with(
            &Args {
                archive,
                ..self.args()
            },
            &self.path("none.toml"),
            &self.scratch.path,
        )
    }

    pub fn rollback(&self) -> Result<()> {
        let args = Args {
            rollback: true,
            ..self.args()
        };
        run_with(&args, &self.path("none.toml"), &self.scratch.path)
    }

    pub fn slots(&self) -> PathBuf {
        PathBuf::from(self.args().place.dir.unwrap())
    }

    /// The version that is in use, after a check that all of it is there.
    pub fn in_use(&self) -> Option<String> {
        let current = self.slots().join("current");
        let link = fs::read_link(&current).ok()?;
        assert!(["a", "b"].contains(&&*link.to_string_lossy()), "{link:?}");
        let text = fs::read_to_string(current.join("share/version")).expect("a whole slot");
        assert!(current.join("bin/ocellus").is_file());
        assert_eq!(text.len() % 100_000, 0);
        Some(text[..text.len() / 100_000].into())
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

fn client(folder: &Path, name: &str, key: &str) {
    let config = format!(
        "IdentityFile {}\nIdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n",
        folder.join(key).display()
    );
    fs::write(folder.join(name), config).unwrap();
}

fn sshd(folder: &Path) -> Child {
    // Where it drops its rights; a running service makes it, and only root may.
    let _ = fs::create_dir("/run/sshd");
    let mut sshd = Command::new(SSHD);
    sshd.arg("-D").arg("-f").arg(folder.join("sshd_config"));
    sshd.stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sshd")
}

/// This machine's kind, if it is a board.
pub fn this_board() -> &'static Profile {
    let model = fs::read_to_string("/proc/device-tree/model").unwrap_or_default();
    let is = |profile: &&Profile| {
        profile
            .models
            .iter()
            .any(|known| format!("{model} ").starts_with(known))
    };
    let boards = ocellus_boards::all();
    boards
        .iter()
        .find(is)
        .unwrap_or(Profile::find("rpi-4").unwrap())
}

fn executable(file: &Path, text: &str) {
    // A program that is being written cannot be run: another thread's child may hold it open.
    let fresh = file.with_extension("new");
    fs::write(&fresh, text).unwrap();
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&fresh, file).unwrap();
}
