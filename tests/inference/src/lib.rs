//! What a program leaves the compiler to infer, and what compiles only as long as nobody adds an operator or a comparison
//! for a type of the standard library: the type of the other side is then no longer the only one there is.
//!
//! It compiles without memprof, and must compile beside it: a program that adds memprof compiles as before. `.ci/run`
//! checks both.

#[cfg(feature = "beside")]
use memprof as _;

#[cfg(test)]
#[expect(
    clippy::bool_comparison,
    clippy::default_trait_access,
    clippy::vec_init_then_push,
    reason = "what a program leaves to be inferred"
)]
mod tests {
    use std::error::Error;
    use std::path::{Component, Path, PathBuf};
    use std::time::Duration;

    type Tried = Result<(), Box<dyn Error>>;

    #[test]
    fn the_other_side_of_a_comparison_of_numbers() -> Tried {
        assert!(3_u8 == "3".parse()?);
        assert!(3_u16 == "3".parse()?);
        assert!(3_u32 == "3".parse()?);
        assert!(3_u64 == "3".parse()?);
        assert!(3_usize == "3".parse()?);
        assert!(-3_i8 == "-3".parse()?);
        assert!(-3_i16 == "-3".parse()?);
        assert!(-3_i32 == "-3".parse()?);
        assert!(-3_i64 == "-3".parse()?);
        assert!(-3_isize == "-3".parse()?);
        assert!(3_u128 < "4".parse()?);
        assert!(3_i128 > "2".parse()?);
        assert!(0.25_f32 < "0.5".parse()?);
        assert!(0.5_f64 <= "0.5".parse()?);
        assert!('x' == "x".parse()?);
        assert!(true != "false".parse()?);
        Ok(())
    }

    #[test]
    fn the_items_of_a_list_that_is_compared() {
        let bytes = [0_u8, 1];
        let mut list = Vec::new();
        list.push(0);
        list.push(1);
        assert_eq!(&bytes[..], &list[..]);
        assert_ne!(&bytes[..], &Vec::new()[..]);
        assert_eq!(['a'; 0], Vec::new()[..]);
        assert_eq!(vec![1.5], [3.0].map(|number| number / 2.0));
        assert!([1_i64].iter().eq([1].iter()));
    }

    #[test]
    fn what_is_added_to_a_string() {
        // `&String` becomes the `&str` that is the only thing to be added.
        let end = String::from("end");
        assert_eq!(String::from("the ") + &end, "the end");
        let mut all = String::from("the ");
        all += &end;
        all += &Box::new(end);
        assert_eq!(all, "the endend");
        assert_eq!(Some("the"), all.split(' ').next());
    }

    #[test]
    fn the_parts_of_a_path() {
        let path: PathBuf = ["a", "b"].iter().collect();
        assert_eq!(path.components().next(), Some(Component::Normal("a".as_ref())));
        assert_eq!(path.parent(), Some("a".as_ref()));
        assert_eq!(path.file_name(), Some("b".as_ref()));
        assert_eq!(path.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(*path > *Path::new("a"));
    }

    #[test]
    fn how_long_a_time_is_times_what() -> Tried {
        assert_eq!(Duration::from_secs(2) * "3".parse()?, Duration::from_secs(6));
        assert_eq!(Duration::from_secs(2) + Default::default(), Duration::from_secs(2));
        assert!(Duration::ZERO == Default::default());
        Ok(())
    }
}
