use memprof_report::Snapshot;

use super::{
    Order, View, Wish,
    fixtures::{picture, space},
};

fn first() -> Snapshot {
    picture(
        7,
        1.0,
        &[space("host", 10, &[("load", 1, 100, 900, 1), ("Cache::put", 2, 50, 60, 5), ("index", 0, 0, 70, 2)])],
    )
}

fn second() -> Snapshot {
    let host = space("host", 4, &[("load", 1, 90, 900, 1), ("Cache::put", 2, 250, 260, 9), ("index", 0, 1, 70, 3)]);
    picture(7, 3.0, &[host, space("cuda:0", 0, &[("load", 1, 5, 5, 1)])])
}

/// After two looks.
fn view() -> View {
    let mut view = View::new("server".to_owned());
    view.look(first());
    view.look(second());
    view
}

/// Name, live, growth since the last look and since the start.
fn rows(view: &View) -> Vec<(String, i64, i64, i64)> {
    view.rows().into_iter().map(|row| (row.shown, row.live, row.since_last, row.since_start)).collect()
}

fn names(view: &View) -> Vec<String> {
    view.rows().into_iter().map(|row| row.shown).collect()
}

#[test]
fn rows_are_what_is_live_and_what_grew_and_sum_to_the_space() {
    let mut view = view();
    let put = |live, last, start| ("Cache::put src/main.rs:2".to_owned(), live, last, start);
    let load = |live, last, start| ("load src/main.rs:1".to_owned(), live, last, start);
    let outside = |live, last, start| ("(outside any scope)".to_owned(), live, last, start);
    let index = |live, last, start| ("index".to_owned(), live, last, start);
    assert_eq!(rows(&view), [put(250, 200, 200), load(90, -10, -10), outside(4, -6, -6), index(1, 1, 1)]);
    assert_eq!(view.growth(), (185, 185));
    let third = space("host", 4, &[("load", 1, 90, 900, 1), ("Cache::put", 2, 260, 260, 9), ("index", 0, 1, 70, 3)]);
    view.look(picture(7, 5.0, &[third]));
    assert_eq!(rows(&view), [put(260, 10, 210), load(90, 0, -10), outside(4, 0, -6), index(1, 0, 1)]);
    assert_eq!(view.growth(), (10, 195));
    view.wish(Wish::CountFromNow);
    assert_eq!((rows(&view)[0].clone(), view.growth()), (put(260, 10, 0), (10, 0)));
}

/// A program may serve one picture several times, and a file may be the same still.
#[test]
fn the_same_picture_is_no_new_look() {
    let mut view = view();
    view.miss("no answer".to_owned());
    view.look(second());
    assert_eq!((view.growth(), view.trouble()), ((185, 185), None));
}

#[test]
fn another_process_starts_anew_and_is_said() {
    let mut view = view();
    view.look(picture(8, 0.5, &[space("host", 0, &[("load", 1, 40, 900, 1)])]));
    assert_eq!(view.growth(), (0, 0));
    assert_eq!(view.trouble(), Some("another process answers now: growth is counted anew"));
}

#[test]
fn what_is_missed_leaves_the_last_picture() {
    let mut view = view();
    let before = rows(&view);
    view.miss("the program is gone".to_owned());
    assert_eq!((rows(&view), view.trouble()), (before, Some("the program is gone")));
}

#[test]
fn each_column_orders_and_turns_round() {
    let mut view = view();
    let [put, load, outside, index] =
        ["Cache::put src/main.rs:2", "load src/main.rs:1", "(outside any scope)", "index"].map(str::to_owned);
    let orders = [
        (Order::Live, [&put, &load, &outside, &index]),
        (Order::SinceLast, [&put, &index, &outside, &load]),
        (Order::SinceStart, [&put, &index, &outside, &load]),
        (Order::Peak, [&load, &put, &index, &outside]),
        (Order::Calls, [&put, &index, &load, &outside]),
        (Order::Name, [&outside, &put, &index, &load]),
    ];
    // Further to the left there is no column.
    view.wish(Wish::Order(-1));
    for (order, expected) in orders {
        assert_eq!((view.order(), names(&view).iter().collect::<Vec<_>>()), ((order, false), expected.to_vec()));
        view.wish(Wish::Order(1));
    }
    view.wish(Wish::Reverse);
    assert_eq!(names(&view), [load, index, put, outside]);
}

#[test]
fn a_filter_is_written_kept_and_taken_back() {
    let mut view = view();
    view.wish(Wish::Last);
    assert_eq!(view.selected(), 3);
    view.wish(Wish::Filter);
    "CACHEx".chars().for_each(|letter| view.wish(Wish::Letter(letter)));
    assert_eq!((names(&view).len(), view.selected(), view.is_filtering()), (0, 0, true));
    view.wish(Wish::Erase);
    view.wish(Wish::Accept);
    assert_eq!((names(&view), view.is_filtering()), (vec!["Cache::put src/main.rs:2".to_owned()], false));
    view.wish(Wish::Clear);
    assert_eq!((names(&view).len(), view.filter()), (4, ""));
}

#[test]
fn spaces_follow_one_another_in_a_circle_and_one_that_is_gone_is_the_first() {
    let mut view = view();
    assert_eq!((view.space(), view.spaces()), (Some("host"), vec!["host", "cuda:0"]));
    view.wish(Wish::Space(1));
    assert_eq!((view.space(), rows(&view)[0].clone()), (Some("cuda:0"), ("load src/main.rs:1".to_owned(), 5, 5, 5)));
    view.wish(Wish::Space(1));
    assert_eq!(view.space(), Some("host"));
    view.wish(Wish::Space(-1));
    assert_eq!(view.space(), Some("cuda:0"));
    view.look(first());
    assert_eq!(view.space(), Some("host"));
}

/// Nothing is wrong with a view of nothing.
#[test]
fn a_program_of_which_nothing_is_known_has_no_rows() {
    let mut view = View::new("server".to_owned());
    for wish in [Wish::Move(3), Wish::Last, Wish::Space(1), Wish::CountFromNow, Wish::Order(9), Wish::Reverse] {
        view.wish(wish);
    }
    assert_eq!((view.rows(), view.selected(), view.space(), view.growth()), (Vec::new(), 0, None, (0, 0)));
}

#[test]
fn the_selected_row_stays_within_the_rows() {
    let mut view = view();
    for (wish, selected) in [(Wish::Move(-1), 0), (Wish::Move(2), 2), (Wish::Move(99), 3), (Wish::First, 0)] {
        view.wish(wish);
        assert_eq!(view.selected(), selected, "{wish:?}");
    }
}
