use ratatui::{Terminal, backend::TestBackend, widgets::TableState};

use super::{View, amount, count, draw, duration, growth};
use crate::top::view::{
    Wish,
    fixtures::{picture, space},
};

fn view() -> View {
    let sites = |live| [("load", 1, 1_363_134, 1_400_000, 1), ("Cache::put", 2, live, 2_000_000, 12_345_678)];
    let mut view = View::new("http://127.0.0.1:6060".to_owned());
    view.look(picture(4711, 60.0, &[space("host", 500, &sites(1_000))]));
    view.look(picture(4711, 725.0, &[space("host", 400, &sites(5_000)), space("cuda:0", 0, &[])]));
    view
}

fn screen(view: &View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal.draw(|frame| draw(frame, view, &mut TableState::new())).expect("it is drawn");
    let text = terminal.backend().to_string();
    let lines = text.lines().map(|line| line.trim_matches('"').trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_picture_to_the_letter_in_80_columns() {
    let expected = "\
server (pid 4711) at http://127.0.0.1:6060, after 12 min 5 s
Tab: host cuda:0
host live 1.3 MiB (+3.8 KiB +3.8 KiB) peak 1.9 MiB resident 4.8 MiB of 512 MiB
   ▼live    +last   +start     peak     calls function
 1.3 MiB        0        0  1.3 MiB         1 load src/main.rs:1
 4.9 KiB +3.9 KiB +3.9 KiB  1.9 MiB     12.3M Cache::put src/main.rs:2
   400 B   -100 B   -100 B                    (outside any scope)


live 1,363,134 in 3 blocks, peak 1,400,000, total 2,800,000: src/main.rs:1(load)
q quit  ↑↓ row  < > order  r reverse  / filter  Space pause  0 count from now";
    assert_eq!(screen(&view(), 80, 11), expected);
}

#[test]
fn what_is_chosen_is_seen() {
    let mut view = view();
    view.wish(Wish::Pause);
    view.wish(Wish::Order(1));
    view.wish(Wish::Filter);
    "put".chars().for_each(|letter| view.wish(Wish::Letter(letter)));
    view.miss("nobody answers at http://127.0.0.1:6060: this is the last picture".to_owned());
    let expected = "\
server (pid 4711) at http://127.0.0.1:6060, after 12 min 5 s   PAUSED
Tab: host cuda:0
host live 1.3 MiB (+3.8 KiB +3.8 KiB) peak 1.9 MiB resident 4.8 MiB of 512 MiB
    live   ▼+last   +start     peak     calls function
 4.9 KiB +3.9 KiB +3.9 KiB  1.9 MiB     12.3M Cache::put src/main.rs:2
nobody answers at http://127.0.0.1:6060: this is the last picture
live 5,000 in 3 blocks, peak 2,000,000, total 4,000,000: src/main.rs:2(Cache::pu
/put▏ Enter: keep it, Esc: all rows";
    assert_eq!(screen(&view, 80, 8), expected);
}

#[test]
fn a_program_that_has_not_answered_yet_is_waited_for() {
    let view = View::new("./server".to_owned());
    let expected = "\
waiting for ./server
nothing was measured yet; a program answ
▼live +last start  peak calls function


q quit  ↑↓ row  < > order  r reverse  /";
    assert_eq!(screen(&view, 40, 6), expected);
}

/// Whatever the size, nothing panics.
#[test]
fn every_size_is_drawn() {
    let view = view();
    for (width, height) in [(1, 1), (1, 24), (200, 1), (10, 3), (500, 60)] {
        screen(&view, width, height);
    }
}

#[test]
fn amounts_have_three_digits_and_a_unit() {
    for (bytes, expected) in [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 KiB"),
        (1_024, "1.0 KiB"),
        (-1_536, "-1.5 KiB"),
        (102_300, "99.9 KiB"),
        (102_349, "100 KiB"),
        (102_400, "100 KiB"),
        (1_023_949, "1.0 MiB"),
        (1 << 30, "1.0 GiB"),
        (i128::from(i64::MAX), "8.0 EiB"),
        (i128::from(i64::MIN), "-8.0 EiB"),
    ] {
        assert_eq!(amount(bytes), expected, "{bytes}");
    }
    assert_eq!([growth(0), growth(5), growth(-2_048)], ["0", "+5 B", "-2.0 KiB"]);
    assert_eq!([count(9_999_999), count(12_345_678), count(u64::MAX)], ["9,999,999", "12.3M", "18,446,744,073.7G"]);
}

#[test]
fn durations_have_two_units() {
    for (seconds, expected) in [
        (0.9, "0 s"),
        (59.9, "59 s"),
        (185.0, "3 min 5 s"),
        (7_440.0, "2 h 4 min"),
        (266_400.0, "3 d 2 h"),
        (-1.0, "0 s"),
        (f64::NAN, "0 s"),
    ] {
        assert_eq!(duration(seconds), expected);
    }
}
