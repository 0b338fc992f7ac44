//! What a deploy does to a board that is played, whatever goes wrong.

pub mod board;

use super::*;
use board::{Board, GETCONF, Program, UNAME, this_board};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::{Duration, Instant};

#[track_caller]
fn refused(done: Result<()>) -> anyhow::Error {
    let error = done.expect_err("it went through");
    assert!(
        !error.is::<RolledBack>() && !error.is::<Unreachable>(),
        "{error:#}"
    );
    error
}

#[test]
fn slots_take_turns_and_a_rollback_goes_back() {
    let board = Board::new("turns");
    refused(board.rollback());
    for (version, slot) in [("1", "a"), ("2", "b"), ("3", "a")] {
        board.deploy(version, Program::Healthy).unwrap();
        assert_eq!(board.in_use().as_deref(), Some(version));
        let link = fs::read_link(board.slots().join("current")).unwrap();
        assert_eq!(link.to_string_lossy(), slot);
    }
    board.rollback().unwrap();
    assert_eq!(board.in_use().as_deref(), Some("2"));
    board.rollback().unwrap();
    assert_eq!(board.in_use().as_deref(), Some("3"));
}

#[test]
fn what_is_not_healthy_is_not_in_use_in_the_end() {
    let board = Board::new("unhealthy");
    let error = board.deploy("1", Program::UnhealthyInUse).unwrap_err();
    assert!(error.is::<RolledBack>(), "{error:#}");
    assert_eq!(board.in_use(), None);
    board.deploy("2", Program::Healthy).unwrap();
    refused(board.deploy("3", Program::Unhealthy));
    assert_eq!(board.in_use().as_deref(), Some("2"));
    let error = board.deploy("4", Program::UnhealthyInUse).unwrap_err();
    assert!(error.is::<RolledBack>(), "{error:#}");
    assert_eq!(
        (crate::code(&error), board.in_use().as_deref()),
        (5, Some("2"))
    );
}

#[test]
fn the_service_is_restarted_with_what_is_in_use_and_asked_for_its_health() {
    let board = Board::new("restart");
    let log = board.path("restarts");
    let restart = format!("readlink current >>'{}'", log.display());
    let health = "test \"$(readlink current)\" = a";
    let deploy = |version: &str| {
        let args = Args {
            archive: Some(board.archive(version, Program::Healthy)),
            restart: Some(restart.clone()),
            health: Some(health.into()),
            ..board.args()
        };
        run_with(&args, &board.path("none.toml"), &board.scratch.path)
    };
    deploy("1").unwrap();
    assert!(deploy("2").unwrap_err().is::<RolledBack>());
    assert_eq!(fs::read_to_string(&log).unwrap(), "a\nb\na\n");
    assert_eq!(board.in_use().as_deref(), Some("1"));
    let args = Args {
        restart: Some("false".into()),
        archive: Some(board.archive("3", Program::Healthy)),
        ..board.args()
    };
    let failed = run_with(&args, &board.path("none.toml"), &board.scratch.path);
    assert!(failed.unwrap_err().is::<RolledBack>());
    assert_eq!(board.in_use().as_deref(), Some("1"));
}

#[test]
fn a_power_cut_at_any_step_leaves_a_whole_slot_and_the_next_deploy_works() {
    let board = Board::new("power");
    board.kill_at(0);
    board.deploy("0", Program::Healthy).unwrap();
    let mut before = "0".to_owned();
    for step in 1.. {
        let version = format!("{step}");
        board.kill_at(step);
        let done = board.deploy(&version, Program::Healthy);
        let in_use = board.in_use().expect("something is in use");
        assert!(
            [&before, &version].contains(&&in_use),
            "step {step}: {in_use}"
        );
        if done.is_ok() {
            assert!(step > 20, "only {step} steps");
            assert_eq!(in_use, version);
            break;
        }
        assert!(done.unwrap_err().is::<Unreachable>(), "step {step}");
        // What was not found healthy is not kept either.
        board.kill_at(0);
        refused(board.deploy("bad", Program::Unhealthy));
        let kept = board.in_use().expect("something is in use");
        assert!([&before, &version].contains(&&kept), "step {step}: {kept}");
        assert!(!board.slots().join("proving").exists());
        if step % 3 == 0 {
            before = format!("{step} again");
            board.deploy(&before, Program::Healthy).unwrap();
        } else {
            before = kept;
        }
        assert_eq!(board.in_use().as_deref(), Some(&*before));
    }
}

#[test]
fn boards_that_cannot_take_it_are_left_alone() {
    let board = Board::new("unfit");
    board.deploy("1", Program::Healthy).unwrap();
    let another = match this_board().id.as_str() {
        "rpi-5" => "echo NVIDIA Jetson Xavier NX Developer Kit",
        _ => "echo Raspberry Pi 5 Model B Rev 1.0",
    };
    let cases = [
        ("uname", "echo x86_64", UNAME),
        ("uname", "echo armv7l", UNAME),
        (
            "getconf",
            "case $1 in LONG_BIT) echo 32 ;; *) echo glibc 2.36 ;; esac",
            GETCONF,
        ),
        (
            "getconf",
            "case $1 in LONG_BIT) echo 64 ;; *) echo glibc 2.9 ;; esac",
            GETCONF,
        ),
        (
            "df",
            "echo head; echo fs 9 9 100 9% /",
            "exec /bin/df \"$@\"",
        ),
        ("tr", another, "exec /usr/bin/tr \"$@\""),
        // A disk that fills up all the same.
        ("cat", "head -c 1000; exit 1", "exec /bin/cat \"$@\""),
        ("tar", "exit 1", "exec /bin/tar \"$@\""),
    ];
    for (program, unfit, fit) in cases {
        board.says(program, unfit);
        refused(board.deploy("2", Program::Healthy));
        assert_eq!(board.in_use().as_deref(), Some("1"), "{program} {unfit}");
        assert!(!board.slots().join("incoming.tar.gz").exists());
        board.says(program, fit);
    }
    board.deploy("3", Program::Healthy).unwrap();
}

#[test]
fn two_at_once_do_not_meet() {
    let board = Board::new("two");
    board.deploy("1", Program::Healthy).unwrap();
    let restart = Some("touch started; sleep 3".into());
    let slow = Args {
        restart,
        archive: Some(board.archive("2", Program::Healthy)),
        ..board.args()
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| run_with(&slow, &board.path("none.toml"), &board.scratch.path));
        let until = Instant::now() + Duration::from_secs(60);
        while !board.slots().join("started").exists() {
            assert!(Instant::now() < until, "no deploy");
            thread::sleep(Duration::from_millis(20));
        }
        refused(board.deploy("3", Program::Healthy));
        first.join().unwrap().unwrap();
    });
    assert_eq!(board.in_use().as_deref(), Some("2"));
}

#[test]
fn a_host_that_is_not_there_or_lets_nobody_in_is_unreachable() {
    let board = Board::new("unreachable");
    let archive = Some(board.archive("1", Program::Healthy));
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = Args {
        place: Place {
            port: Some(closed),
            ..board.place()
        },
        archive: archive.clone(),
        ..board.args()
    };
    let stranger = Args {
        place: Place {
            ssh_config: Some(board.path("other_config")),
            ..board.place()
        },
        archive,
        ..board.args()
    };
    for args in [nobody, stranger] {
        let error = run_with(&args, &board.path("none.toml"), &board.scratch.path).unwrap_err();
        assert!(error.is::<Unreachable>(), "{error:#}");
        assert_eq!(crate::code(&error), 3);
    }
}

#[test]
fn only_what_its_sum_names_is_sent() {
    let board = Board::new("sums");
    let archive = board.archive("1", Program::Healthy);
    fs::write(archive.with_file_name("SHA256SUMS"), "00  ocellus.tar.gz\n").unwrap();
    let args = Args {
        archive: Some(archive),
        ..board.args()
    };
    let error = refused(run_with(
        &args,
        &board.path("none.toml"),
        &board.scratch.path,
    ));
    assert!(format!("{error:#}").contains("does not list"), "{error:#}");
    assert!(!board.slots().exists());
}

#[test]
fn hosts_come_from_the_local_file() {
    let board = Board::new("local");
    let local = board.path("local.toml");
    let id = &this_board().id;
    let dir = board.slots().display().to_string();
    let text = format!(
        "[{id}]\nhost = \"127.0.0.1\"\nport = {}\ndir = \"{dir}\"\n",
        board.port
    );
    fs::write(&local, text).unwrap();
    let args = Args {
        place: Place {
            host: None,
            port: None,
            dir: None,
            ..board.place()
        },
        archive: Some(board.archive("1", Program::Healthy)),
        ..board.args()
    };
    run_with(&args, &local, &board.scratch.path).unwrap();
    assert_eq!(board.in_use().as_deref(), Some("1"));

    for (text, expected) in [
        ("", "boards/local.toml"),
        ("[rpi-9]\n", "rpi-zero-2-w"),
        ("[rpi-4]\nhots = 1\n", "hots"),
    ] {
        fs::write(&local, text).unwrap();
        let error = refused(run_with(&args, &local, &board.scratch.path));
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }
}

#[test]
fn a_link_that_points_elsewhere_is_not_followed() {
    let board = Board::new("link");
    fs::create_dir_all(board.slots()).unwrap();
    symlink("/", board.slots().join("current")).unwrap();
    board.deploy("1", Program::Healthy).unwrap();
    assert_eq!(board.in_use().as_deref(), Some("1"));
}
