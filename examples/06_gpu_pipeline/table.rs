//! The result, printed as `01_dataframe` prints it.

/// What was found out about one airline or destination.
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) count: i32,
    pub(crate) mean_distance: f64,
    pub(crate) mean_arr_delay: f64,
    pub(crate) name: String,
}

#[memprof::track]
#[expect(clippy::print_stdout, reason = "the tables are what the program is for")]
pub(crate) fn print_table(title: &str, key: &str, rows: &[Row]) {
    let mut lines = vec![[key, "count", "mean_distance", "mean_arr_delay", "name"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let [distance, delay] = [row.mean_distance, row.mean_arr_delay].map(|mean| format!("{mean:.1}"));
        [row.key.clone(), row.count.to_string(), distance, delay, row.name.clone()]
    }));
    let [a, b, c, d, _] = std::array::from_fn(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or(0));
    println!("{title}\n");
    for [key, count, distance, delay, name] in &lines {
        println!("{key:a$}  {count:>b$}  {distance:>c$}  {delay:>d$}  {name}");
    }
    println!();
}
