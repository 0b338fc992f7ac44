//! `ocellus doctor` and `ocellus bundle` on this machine.
#![allow(missing_docs)]

use ocellus_tests::{board, ocellus, program, run};

#[test]
fn the_embedded_bundle_is_healthy() {
    let report = ocellus(["doctor", "--json"]).answer();
    assert_eq!(report["healthy"], true, "{report}");
    assert_eq!(report["hashes"], "ok");
    assert!(
        report["page_size_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes.is_power_of_two())
    );
    let goldens = report["goldens"].as_array().expect("a list");
    let resolutions = 3;
    assert!(goldens.len() > resolutions, "prompts too: {goldens:?}");
}

#[test]
fn the_instruction_set_is_this_cpus_and_can_be_lowered() {
    let isa = |variables: &[(&str, &str)]| {
        run(&program(), ["doctor", "--json"], &[], variables).answer()["isa"].clone()
    };
    let expected = match std::env::var("OCELLUS_CPU").as_deref() {
        Ok("cortex-a76") => "dotprod",
        Ok(_) => "neon",
        Err(_) if cfg!(target_arch = "aarch64") => "neon",
        Err(_) => "scalar",
    };
    let found = isa(&[]);
    assert!(
        found == expected || found == "dotprod" && std::env::var("OCELLUS_CPU").is_err(),
        "{found}"
    );
    assert_eq!(isa(&[("OCELLUS_ISA", "scalar")]), "scalar");
}

/// A folder that says what a Raspberry Pi 4 with two of its cores offline says.
fn half_a_pi() -> tempfile::TempDir {
    let core =
        "Features\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n\n";
    board(&[
        ("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
        ("proc/cpuinfo", core),
        ("proc/meminfo", "MemTotal:        3885396 kB\n"),
        ("sys/devices/system/cpu/online", "0-1\n"),
    ])
}

#[test]
fn a_board_is_known_and_what_differs_is_said() {
    let folder = half_a_pi();
    let folder = folder.path().to_str().expect("UTF-8");
    let report = ocellus(["doctor", "--json", "--machine", folder]).answer();
    let wanted = serde_json::json!({
        "model": "Raspberry Pi 4 Model B Rev 1.4",
        "profile": "rpi-4",
        "differences": [{"what": "cores", "expected": "4 online", "got": "2"}],
    });
    assert_eq!(report["board"], wanted);
    assert_eq!(report["healthy"], true, "a difference is not a fault");
    let run = ocellus(["doctor", "--machine", folder]);
    for line in [
        "board      Raspberry Pi 4 Model B Rev 1.4, profile rpi-4",
        "differs    cores: expected 4 online, got 2",
    ] {
        assert!(run.stdout.lines().any(|said| said == line), "{run:?}");
    }
}

#[test]
fn a_folder_without_a_machine_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    ocellus(["doctor", "--machine", path]).fails(1, &[path, "no folder `proc`", "/proc/cpuinfo"]);
}

#[test]
fn the_text_form_ends_in_a_verdict() {
    let run = ocellus(["doctor"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.stdout.lines().last(), Some("healthy"), "{run:?}");
}

#[test]
fn inspect_says_what_runs_in_f32_and_why() {
    let report = ocellus(["bundle", "inspect", "--json"]).answer();
    let steps = report["encoders"]["image 224"].as_array().expect("a list");
    assert!(steps.len() > 50);
    for step in steps.iter().filter(|step| step["precision"] == "f32") {
        assert!(
            step["reason"]
                .as_str()
                .is_some_and(|reason| !reason.is_empty()),
            "{step}"
        );
    }
    let macs: u64 = steps.iter().filter_map(|step| step["macs"].as_u64()).sum();
    let stated = report["macs"][2].as_u64().expect("a number");
    assert!(
        macs.abs_diff(stated) < stated / 100,
        "the steps' {macs} MACs against the manifest's {stated}"
    );
}
