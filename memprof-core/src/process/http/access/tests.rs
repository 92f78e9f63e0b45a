//! Who may ask.

use super::Access;
use crate::process::address::Address;
use crate::process::http::request::Request;
use crate::process::token::Token;

/// The status of a request with these headers; 200 if it may be answered.
fn status(address: &str, token: Option<&str>, changes: bool, headers: &str) -> u16 {
    let access = Access::new(Address::parse(address).expect("an address"), token.and_then(Token::parse));
    let text = format!("GET / HTTP/1.1\r\n{headers}\r\n");
    let request = Request::read(text.as_bytes()).expect("whole").expect("right");
    access.check(&request, changes).err().map_or(200, |refusal| refusal.status)
}

const LOCAL: &str = "127.0.0.1:6060";

#[test]
fn who_may_ask_is_decided_as_everywhere() {
    let requests: &[(&[(&str, &str)], u16)] = include!("../../../../../memprof-report/src/served/table.rs");
    for (headers, expected) in requests {
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = lines.concat();
        assert_eq!(status(LOCAL, None, false, &headers), *expected, "{headers}");
        // The token comes on top: it opens nothing that is closed without it.
        let with_token = format!("{headers}Authorization: Bearer t\r\n");
        assert_eq!(status(LOCAL, Some("t"), false, &with_token), *expected, "{with_token}");
    }
}

#[test]
fn other_machines_ask_under_any_name_with_the_token() {
    assert_eq!(status("0.0.0.0:6060", Some("t"), false, "Host: app:6060\r\nAuthorization: Bearer t\r\n"), 200);
    assert_eq!(status("0.0.0.0:6060", Some("t"), false, "Host: app:6060\r\n"), 401);
    assert_eq!(status("unix:/run/x", None, false, "Host: any\r\n"), 200);
}

#[test]
fn what_changes_something_needs_the_token_always() {
    let own = "Host: localhost:6060\r\n";
    assert_eq!(status(LOCAL, None, true, own), 403);
    assert_eq!(status(LOCAL, Some("t"), true, own), 401);
    assert_eq!(status(LOCAL, Some("t"), true, &format!("{own}Authorization: Bearer t\r\n")), 200);
    assert_eq!(status(LOCAL, Some("t"), true, &format!("{own}Authorization: Bearer tt\r\n")), 401);
    assert_eq!(status(LOCAL, Some("t"), false, own), 401);
}

/// Of another origin not even with it.
#[test]
fn a_page_of_another_origin_changes_nothing() {
    let own = "Host: localhost:6060\r\nAuthorization: Bearer t\r\n";
    for (headers, reads, changes) in [
        ("Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost:6060\r\n", 200, 200),
        ("Origin: http://evil.example\r\n", 403, 403),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", 200, 403),
    ] {
        let headers = format!("{own}{headers}");
        let statuses = [false, true].map(|changes| status(LOCAL, Some("t"), changes, &headers));
        assert_eq!(statuses, [reads, changes], "{headers}");
    }
}
