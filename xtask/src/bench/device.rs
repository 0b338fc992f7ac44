//! `cargo xtask bench --host`: `ocellus bench` on a board that was deployed to.
//!
//! Files that its options name go there first, and the page that it writes comes back.
//!
//! Limits: `--bundle` is for the machine where it runs.

use super::{Slower, ended};
use crate::deploy::Place;
use crate::process;
use crate::scratch::Scratch;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = include_str!("board.sh");
/// Where the board puts the page.
const PAGE: &str = "page.html";

/// Options of `ocellus bench` with the files that they name taken out.
#[derive(Debug, Default, PartialEq)]
struct Call {
    /// As the board gets them.
    options: Vec<String>,
    /// What goes there, with the name that it has there.
    files: Vec<(String, PathBuf)>,
    /// Where the page goes.
    page: Option<PathBuf>,
}

impl Call {
    fn of(args: &[String]) -> Result<Call> {
        let mut call = Call::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (option, value) = match arg.split_once('=') {
                Some((option, value)) => (option, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            if option == "--bundle" {
                bail!(
                    "--bundle: expected none with --host, got one; deploy a program that carries the bundle"
                );
            }
            if !["--image", "--model", "--compare", "--html"].contains(&option) {
                call.options.push(arg.clone());
                continue;
            }
            let value = value.or_else(|| args.next().cloned());
            let file = PathBuf::from(
                value.with_context(|| format!("{option}: expected a file, got none"))?,
            );
            let there = match option {
                "--html" => {
                    call.page = Some(file);
                    PAGE.into()
                }
                _ => {
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    let there = format!("{}-{name}", call.files.len());
                    call.files.push((there.clone(), file));
                    there
                }
            };
            call.options.extend([option.into(), there]);
        }
        Ok(call)
    }
}

/// Measures on the board.
///
/// # Errors
/// [`Slower`], `deploy::Unreachable`, and what else went wrong.
pub fn measure(place: &Place, board: Option<&str>, local: &Path, args: &[String]) -> Result<()> {
    let call = Call::of(args)?;
    let (remote, dir, _) = place.find(board, local)?;
    let scratch = Scratch::beside(&std::env::temp_dir().join("ocellus-bench"))?;
    let folder = scratch.path.join("files");
    fs::create_dir(&folder)?;
    for (name, file) in &call.files {
        fs::copy(file, folder.join(name)).with_context(|| file.display().to_string())?;
    }
    let tar = scratch.path.join("files.tar");
    process::capture(
        Command::new("tar")
            .arg("-cf")
            .arg(&tar)
            .arg("-C")
            .arg(&folder)
            .arg("."),
    )?;
    let mut words = vec![dir.as_str()];
    words.extend(call.options.iter().map(String::as_str));
    let done = ended(remote.run(SCRIPT, &words, Some(&tar))?);
    // One that was slower, or is invalid, has a page too.
    if let Some(page) = &call.page
        && done
            .as_ref()
            .map_or_else(|error| error.is::<Slower>(), |()| true)
    {
        let html = remote.capture("cat \"$1/measured/$2\"", &[&dir, PAGE])?;
        fs::write(page, html).with_context(|| page.display().to_string())?;
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::Unreachable;
    use crate::deploy::tests::board::{Board, Program};

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn files_that_options_name_are_told_from_options() {
        let call = Call::of(&words(
            "--json --compare a/base.json --image=b/base.json --html=out.html --ops",
        ))
        .unwrap();
        let expected = "--json --compare 0-base.json --image 1-base.json --html page.html --ops";
        assert_eq!(call.options, words(expected));
        let files = [
            ("0-base.json", "a/base.json"),
            ("1-base.json", "b/base.json"),
        ];
        assert_eq!(
            call.files,
            files.map(|(name, file)| (name.to_owned(), file.into()))
        );
        assert_eq!(call.page, Some("out.html".into()));
        assert!(Call::of(&words("--bundle x")).is_err());
        assert!(Call::of(&words("--json --html")).is_err());
    }

    #[test]
    fn a_board_measures_and_its_exit_code_and_page_come_back() {
        let board = Board::new("bench");
        let place = board.place();
        let run = |args: &str| measure(&place, None, &board.path("none.toml"), &words(args));
        let error = run("--json").unwrap_err();
        assert!(
            !error.is::<Slower>() && !error.is::<Unreachable>(),
            "{error:#}"
        );

        board.deploy("1", Program::Healthy).unwrap();
        let base = board.path("base.json");
        fs::write(&base, "earlier").unwrap();
        let page = board.path("page.html");
        let files = format!("--compare {} --html {}", base.display(), page.display());
        // The program that is played writes what it was given into the page, and ends as it is told.
        run(&format!("{files} --exit 0")).unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), "earlier");
        fs::remove_file(&page).unwrap();
        assert!(
            run(&format!("{files} --exit 4"))
                .unwrap_err()
                .is::<Slower>()
        );
        assert!(page.exists());
        let failed = run("--exit 1").unwrap_err();
        assert!(!failed.is::<Slower>());
        assert!(run("--image no/such/file").is_err());
    }
}
