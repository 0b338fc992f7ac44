//! The hits as one page that needs nothing else: thumbnails inside, no script, no font, no network.

use super::{Found, thumbnail};
use crate::html::escaped;
use std::{fmt::Write, path::Path};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2733;--soft:#5c6b7a;--line:#d5dce3;--paper:#fff}\
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#9aa8b5;--line:#37424d;--paper:#14191e}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;overflow-wrap:anywhere}p,.soft{color:var(--soft)}\
ol{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1.5rem}\
li{border:1px solid var(--line);border-radius:.4rem;overflow:hidden}\
img,.gone{display:block;width:100%;height:15rem;object-fit:contain}.gone{padding:1rem;box-sizing:border-box;overflow:auto}\
.no-match img{opacity:.45}div{padding:.5rem .8rem;overflow-wrap:anywhere}b{font-variant-numeric:tabular-nums}";

/// The page of what was found.
pub fn page(asked: &str, found: &[Found]) -> String {
    let asked = escaped(asked);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width\"/>\n\
         <title>Ocellus: {asked}</title>\n<style>{STYLE}</style></head>\n<body><h1>{asked}</h1>\n\
         <p>{}</p>\n<ol>\n",
        summary(found)
    );
    for hit in found {
        page += &item(hit);
    }
    page += "</ol></body></html>\n";
    page
}

fn summary(found: &[Found]) -> String {
    let fitting = found.iter().filter(|hit| !hit.no_match).count();
    match found.len() {
        0 => "No photos.".into(),
        count => format!(
            "The nearest {count}, best first; {fitting} of them fit. Paler ones are near, and do not."
        ),
    }
}

fn item(hit: &Found) -> String {
    let name = escaped(&hit.path);
    let class = match hit.no_match {
        true => " class=\"no-match\"",
        false => "",
    };
    let picture = match thumbnail::of(Path::new(&hit.path)) {
        Ok(small) => format!(
            "<img src=\"{}\" alt=\"{name}\" width=\"{}\" height=\"{}\"/>",
            small.address, small.width, small.height
        ),
        Err(why) => format!(
            "<p class=\"gone\">It cannot be shown: {}</p>",
            escaped(&why)
        ),
    };
    let mut item = format!("<li{class}>{picture}<div><b>{:+.3}</b>", hit.score);
    if hit.no_match {
        item += " no match";
    }
    let clock = match hit.taken_from {
        "exif" => "",
        _ => " (file)",
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        item,
        " <span class=\"soft\">{}{clock}</span><br/>{name}</div></li>",
        escaped(&hit.taken)
    );
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(path: &str, no_match: bool) -> Found {
        Found {
            path: path.into(),
            score: 0.5,
            match_probability: 0.9,
            no_match,
            taken: "2024-05-01T12:30:00".into(),
            taken_from: "file",
        }
    }

    #[test]
    fn a_name_is_text_and_never_markup() {
        let name = "/p/<script>alert(1)</script> & \"quotes\".jpg";
        let page = page("a <b>cat</b>", &[hit(name, false)]);
        assert!(
            !page.contains("<script") && !page.contains("<b>cat"),
            "{page}"
        );
        assert!(
            page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot;.jpg")
        );
    }

    #[test]
    fn a_photo_that_is_gone_is_listed_without_picture() {
        let page = page("a cat", &[hit("/no/such.jpg", true)]);
        assert!(page.contains("It cannot be shown") && page.contains("/no/such.jpg"));
        assert!(
            page.contains("no match") && page.contains("0 of them fit"),
            "{page}"
        );
    }
}
