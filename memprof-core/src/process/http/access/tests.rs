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
fn the_host_is_one_of_this_machines_names() {
    for (host, expected) in [
        ("127.0.0.1:6060", 200),
        ("localhost:6060", 200),
        ("LOCALHOST:6060", 200),
        ("[::1]:6060", 200),
        ("127.0.0.1", 403),
        ("127.0.0.1:6061", 403),
        ("evil.example:6060", 403),
        ("localhost.evil.example:6060", 403),
        ("127.0.0.1.evil.example:6060", 403),
        ("", 403),
    ] {
        assert_eq!(status(LOCAL, None, false, &format!("Host: {host}\r\n")), expected, "{host}");
    }
    assert_eq!(status(LOCAL, None, false, ""), 400);
    assert_eq!(status(LOCAL, None, false, "Host: localhost:6060\r\nHost: localhost:6060\r\n"), 400);
    assert_eq!(status("127.0.0.2:80", None, false, "Host: 127.0.0.2\r\n"), 200);
    // A name that the token makes harmless.
    assert_eq!(status("0.0.0.0:6060", Some("t"), false, "Host: app:6060\r\nAuthorization: Bearer t\r\n"), 200);
    assert_eq!(status("0.0.0.0:6060", Some("t"), false, "Host: app:6060\r\n"), 401);
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

#[test]
fn a_page_of_another_origin_gets_nothing() {
    let own = "Host: localhost:6060\r\nAuthorization: Bearer t\r\n";
    for (headers, reads, changes) in [
        ("", 200, 200),
        ("Origin: http://localhost:6060\r\n", 200, 200),
        ("Origin: https://localhost:6060\r\n", 403, 403),
        ("Origin: http://evil.example\r\n", 403, 403),
        ("Origin: null\r\n", 403, 403),
        ("Sec-Fetch-Site: none\r\n", 200, 200),
        ("Sec-Fetch-Site: same-origin\r\n", 200, 200),
        ("Sec-Fetch-Site: same-site\r\n", 403, 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403, 403),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n", 403, 403),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n", 200, 403),
    ] {
        let headers = format!("{own}{headers}");
        let statuses = [false, true].map(|changes| status(LOCAL, Some("t"), changes, &headers));
        assert_eq!(statuses, [reads, changes], "{headers}");
    }
}
