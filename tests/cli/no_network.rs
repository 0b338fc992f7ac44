//! Ocellus never opens a socket: its main jobs run under `strace` without one network system call. (Where a service manager
//! asks to be told, `watch` sends it datagrams; here none does.)
#![allow(missing_docs)]

use ocellus_tests::{photo, program, run};

#[test]
fn no_main_job_makes_a_network_system_call() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("strace.log");
    let strace = ["strace", "-f", "-qq", "-e", "trace=network", "-o"].map(String::from);
    let command: Vec<String> = strace
        .into_iter()
        .chain([log.display().to_string()])
        .chain(program())
        .collect();

    // Proof that strace may run here and sees what it should: a program that does open a socket.
    let control = [
        "python3",
        "-c",
        "import socket; socket.socket(socket.AF_UNIX)",
    ];
    let probe: Vec<String> = command[..7]
        .iter()
        .cloned()
        .chain(control.map(String::from))
        .collect();
    let run_control = run(&probe, [""; 0], &[], &[]);
    assert_eq!(
        run_control.code, 0,
        "strace must be installed and allowed to trace: {run_control:?}"
    );
    assert!(
        std::fs::read_to_string(&log)
            .expect("a log")
            .contains("socket("),
        "strace sees nothing here"
    );

    let photo = photo("chelsea.jpg");
    let db = folder.path().join("photos.db").display().to_string();
    let labels = ["--labels", "a cat,a dog", "--json"];
    for call in [
        [&["label", &photo][..], &labels].concat(),
        [
            &["watch", "--source", "data/photos", "--frames", "1"][..],
            &labels,
        ]
        .concat(),
        vec!["index", "data/photos", "--db", &db],
        vec!["search", "a cat", "--db", &db],
    ] {
        let done = run(&command, &call, &[], &[]);
        assert_eq!(done.code, 0, "{done:?}");
        let calls = std::fs::read_to_string(&log).expect("a log");
        let network: Vec<&str> = calls.lines().filter(|line| line.contains('(')).collect();
        assert!(network.is_empty(), "{call:?}: {network:?}");
    }
}
