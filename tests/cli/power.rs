//! What a board draws: the energy of an inference in `ocellus bench`, watts beside the answers of `ocellus watch`.
#![allow(missing_docs)]

use ocellus_tests::{Clip, board, ocellus};
use serde_json::Value;
use std::fs;

/// A Jetson Nano that draws 2.345 W.
fn jetson() -> tempfile::TempDir {
    board(&[
        (
            "proc/device-tree/model",
            "NVIDIA Jetson Nano Developer Kit\0",
        ),
        (
            "proc/cpuinfo",
            "CPU implementer\t: 0x41\nCPU part\t: 0xd07\n\n",
        ),
        (
            "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input",
            "2345\n",
        ),
    ])
}

/// A bench at 112 of the machine in this folder, whose runs take more than a second.
fn of_a_second(folder: &str) -> (u64, f64, Value) {
    for iterations in [16, 64, 256, 1024] {
        let count = iterations.to_string();
        let mut call = vec![
            "bench",
            "--json",
            "--resolution",
            "112",
            "--iterations",
            &count,
        ];
        call.extend(["--machine", folder]);
        let report = ocellus(call).answer();
        let row = report["resolutions"][0].clone();
        let times = row["totals_us"].as_array().expect("times").iter();
        let seconds = times.map(|us| us.as_u64().expect("a time")).sum::<u64>() as f64 / 1e6;
        if seconds > 1.0 {
            return (iterations, seconds, row);
        }
    }
    panic!("a thousand runs within a second");
}

#[test]
fn a_board_s_own_sensor_gives_the_energy_of_a_run() {
    let folder = jetson();
    let (iterations, seconds, row) = of_a_second(folder.path().to_str().expect("UTF-8"));
    let energy = |key: &str| {
        row["energy"][key]
            .as_f64()
            .unwrap_or_else(|| panic!("no {key} in {}", row["energy"]))
    };
    assert!(
        (energy("mean_watts") - 2.345).abs() < 0.1,
        "{}",
        row["energy"]
    );
    // No less than in the runs, and all of it is spread over them.
    assert!(
        energy("joules") >= 2.345 * seconds * 0.99,
        "{}",
        row["energy"]
    );
    let each = 1e3 * energy("joules") / iterations as f64;
    assert!(
        (energy("per_run_mj") - each).abs() < 1e-6,
        "{}",
        row["energy"]
    );
    assert!(energy("samples") >= 10.0, "{}", row["energy"]);
}

#[test]
fn without_a_sensor_there_is_no_energy() {
    let pi = board(&[
        ("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
        ("proc/cpuinfo", ""),
    ]);
    let folder = pi.path().to_str().expect("UTF-8");
    let mut call = vec![
        "bench",
        "--json",
        "--resolution",
        "112",
        "--iterations",
        "1",
    ];
    call.extend(["--machine", folder]);
    let report = ocellus(call).answer();
    assert_eq!(report["machine"]["board"], "rpi-4");
    assert_eq!(report["resolutions"][0]["energy"], Value::Null);
}

#[test]
fn watch_says_what_is_drawn() {
    let (machine, folder) = (jetson(), tempfile::tempdir().expect("a folder"));
    let clip = folder.path().join("clip.y4m");
    fs::write(&clip, Clip::new().y4m()).expect("a file");
    let mut call = vec!["watch", "--labels", "a cat,a rocket", "--json"];
    call.extend(["--resolution", "112", "--interval", "1.1"]);
    call.extend(["--frames", "2", "--source", clip.to_str().expect("UTF-8")]);
    call.extend(["--machine", machine.path().to_str().expect("UTF-8")]);
    let run = ocellus(call);
    assert_eq!(run.json().len(), 2, "{run:?}");
    for answer in run.json() {
        let watts = answer["power_watts"].as_f64().expect("watts");
        assert!((watts - 2.345).abs() < 1e-3, "{answer}");
    }
    assert!(run.stderr.contains("J for each answer"), "{run:?}");
}

#[test]
fn a_monitor_that_is_not_there_is_said_before_anything_is_measured() {
    for (monitor, words) in [
        (
            "ina219:/dev/no-i2c",
            &["--power", "/dev/no-i2c", "raspi-config"][..],
        ),
        (
            "ina3221.1:/dev/null:0x41",
            &["--power", "/dev/null", "i2cdetect"],
        ),
    ] {
        for verb in [
            &["bench", "--iterations", "1"][..],
            &["watch", "--source", "-", "--labels", "a cat"],
        ] {
            ocellus(verb.iter().chain(&["--power", monitor])).fails(1, words);
        }
    }
    ocellus(["bench", "--power", "ina226"]).fails(2, &["ina219", "ina3221.3"]);
}
