//! What of the standard library does not allocate, by name. A name that stands here by mistake moves bytes to the caller's row; one
//! that is missing leaves a function tracked that need not be.

use std::{collections::HashSet, sync::LazyLock};

/// Words of a text, to be asked for.
pub(crate) type Words = LazyLock<HashSet<&'static str>>;

macro_rules! words {
    ($text:literal) => {
        LazyLock::new(|| $text.split_whitespace().collect())
    };
}

/// Methods that do not allocate, whatever of the standard library they are called on; those of operators and loops among them.
pub(crate) static HARMLESS_METHODS: Words = words!(
    "
    add add_assign sub sub_assign mul mul_assign div div_assign rem rem_assign neg not bitand bitand_assign bitor bitor_assign
    bitxor bitxor_assign shl shl_assign shr shr_assign eq ne lt le gt ge cmp partial_cmp total_cmp max min clamp index index_mut
    deref deref_mut into_iter next then_with is_some is_some_and is_none is_none_or is_ok is_ok_and is_err is_err_and unwrap
    expect unwrap_err unwrap_or unwrap_or_else unwrap_or_default map map_err map_or map_or_else and and_then or or_else xor ok err
    ok_or ok_or_else as_deref as_deref_mut copied take flatten transpose inspect then then_some unzip_ref zip unwrap_unchecked
    as_ref as_mut as_str as_bytes as_slice as_mut_slice as_ptr as_mut_ptr as_os_str as_path borrow borrow_mut by_ref as_pin_mut
    as_any get get_mut get_unchecked get_unchecked_mut get_ref into_inner len is_empty capacity first first_mut last last_mut
    split_first split_last split_at split_at_mut split_at_checked iter iter_mut keys values values_mut chunks chunks_exact
    chunks_mut windows swap reverse rotate_left rotate_right fill copy_from_slice copy_within sort_unstable sort_unstable_by
    sort_unstable_by_key binary_search binary_search_by binary_search_by_key partition_point contains contains_key starts_with
    ends_with strip_prefix strip_suffix find rfind split rsplit splitn rsplitn split_once rsplit_once split_whitespace
    split_ascii_whitespace split_terminator lines trim trim_start trim_end trim_matches trim_start_matches trim_end_matches chars
    bytes char_indices is_char_boundary matches match_indices eq_ignore_ascii_case parse pop pop_front pop_back front front_mut
    back back_mut clear truncate swap_remove peek peek_mut drain file_name extension parent components to_str is_absolute
    is_relative next_back nth rev skip skip_while take_while step_by filter filter_map flat_map enumerate chain cycle any all
    position rposition find_map fold try_fold for_each try_for_each sum product count max_by max_by_key min_by min_by_key
    size_hint fuse peekable scan map_while rev_chars reduce abs signum pow powi powf sqrt floor ceil round trunc fract exp ln log2
    log10 sin cos tan atan2 hypot mul_add recip to_bits is_nan is_finite is_infinite is_sign_negative is_positive is_negative
    abs_diff rem_euclid div_euclid div_ceil next_multiple_of next_power_of_two is_power_of_two ilog2 ilog10 isqrt count_ones
    count_zeros leading_zeros trailing_zeros trailing_ones swap_bytes reverse_bits to_be to_le to_be_bytes to_le_bytes to_ne_bytes
    wrapping_add wrapping_sub wrapping_mul wrapping_neg wrapping_shl wrapping_shr checked_add checked_sub checked_mul checked_div
    checked_rem checked_shl checked_shr checked_pow saturating_add saturating_sub saturating_mul overflowing_add overflowing_sub
    overflowing_mul unsigned_abs is_ascii is_ascii_alphabetic is_ascii_alphanumeric is_ascii_digit is_ascii_hexdigit
    is_ascii_lowercase is_ascii_punctuation is_ascii_uppercase is_ascii_whitespace is_ascii_control is_ascii_graphic is_alphabetic
    is_alphanumeric is_numeric is_whitespace is_uppercase is_lowercase is_control is_digit to_digit len_utf8 encode_utf8
    make_ascii_lowercase make_ascii_uppercase is_lt is_le is_gt is_ge is_eq is_ne try_into set load store fetch_add fetch_sub
    fetch_and fetch_or fetch_xor fetch_max fetch_min compare_exchange compare_exchange_weak offset offset_from byte_add is_null
    cast cast_mut cast_const read_unaligned read_volatile write_volatile assume_init assume_init_ref as_non_null_ptr addr elapsed
    duration_since as_secs as_millis as_micros as_nanos as_secs_f64 as_secs_f32 subsec_nanos start end start_bound end_bound
    type_id kind is_dir is_file code success
    "
);

/// Names that a method of one's own may share with one of the standard library that does allocate, on a receiver that is not known.
pub(crate) static ALLOCATING_METHODS: Words = words!(
    "
    append cloned clone clone_from collect collect_into concat entry extend extend_from_slice from insert insert_str into
    into_boxed_slice into_boxed_str into_owned into_string into_vec join or_default or_insert or_insert_with push push_back
    push_front push_str read_line read_to_end read_to_string repeat reserve reserve_exact resize resize_with shrink_to_fit sort
    sort_by sort_by_key spawn split_off to_ascii_lowercase to_ascii_uppercase to_lowercase to_owned to_path_buf to_string
    to_string_lossy to_uppercase to_vec write_fmt write_str make_mut unzip partition
    "
);

/// Functions that do not allocate, by their last two segments.
pub(crate) static HARMLESS_FUNCTIONS: Words = words!(
    "
    Vec::new String::new HashMap::new HashSet::new BTreeMap::new BTreeSet::new VecDeque::new BinaryHeap::new LinkedList::new
    PathBuf::new OsString::new Path::new OsStr::new Cell::new RefCell::new OnceCell::new OnceLock::new Mutex::new RwLock::new
    UnsafeCell::new ManuallyDrop::new MaybeUninit::new MaybeUninit::uninit AtomicBool::new AtomicU8::new AtomicU32::new
    AtomicU64::new AtomicUsize::new AtomicI32::new AtomicI64::new Wrapping::new Pin::new Pin::new_unchecked RangeInclusive::new
    NonNull::new NonNull::new_unchecked NonNull::dangling Cursor::new Layout::new Layout::from_size_align mem::swap mem::replace
    mem::take mem::size_of mem::size_of_val mem::align_of mem::forget mem::drop mem::transmute mem::discriminant mem::needs_drop
    mem::zeroed ptr::null ptr::null_mut ptr::eq ptr::read ptr::write ptr::copy ptr::copy_nonoverlapping ptr::swap ptr::addr_of
    ptr::drop_in_place cmp::max cmp::min cmp::Reverse slice::from_raw_parts slice::from_raw_parts_mut slice::from_ref
    str::from_utf8 str::from_utf8_unchecked char::from_u32 char::from_digit char::from u8::from u16::from u32::from u64::from
    u128::from usize::from i8::from i16::from i32::from i64::from i128::from isize::from f32::from f64::from bool::from
    u8::try_from u16::try_from u32::try_from u64::try_from usize::try_from i8::try_from i16::try_from i32::try_from i64::try_from
    isize::try_from char::try_from f32::from_bits f64::from_bits u16::from_le_bytes u32::from_le_bytes u64::from_le_bytes
    u16::from_be_bytes u32::from_be_bytes u64::from_be_bytes u32::from_ne_bytes u64::from_ne_bytes usize::from_ne_bytes
    u8::is_ascii iter::once iter::empty iter::repeat Instant::now SystemTime::now Duration::from_secs Duration::from_millis
    Duration::from_micros Duration::from_nanos Duration::new process::exit process::abort process::id hint::black_box
    hint::spin_loop atomic::fence thread::yield_now Ordering::then Arc::clone Rc::clone Arc::ptr_eq Rc::ptr_eq Arc::strong_count
    Rc::strong_count Rc::get_mut Arc::get_mut Arc::as_ptr Rc::as_ptr Arc::downgrade Rc::downgrade TypeId::of any::type_name
    Context::from_waker Poll::Ready
    "
);

/// Types and modules of which no function allocates, those of [`ALLOCATING_METHODS`] apart.
pub(crate) static HARMLESS_QUALIFIERS: Words = words!(
    "
    u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 bool char NonZero NonZeroU8 NonZeroU16 NonZeroU32 NonZeroU64
    NonZeroUsize NonZeroI32 NonZeroI64 NonZeroIsize Wrapping Ordering AtomicBool AtomicU8 AtomicU16 AtomicU32 AtomicU64
    AtomicUsize AtomicI32 AtomicI64 AtomicIsize AtomicPtr Duration Instant SystemTime Layout NonNull MaybeUninit ManuallyDrop
    PhantomData TypeId mem ptr cmp hint char
    "
);

/// Functions of the prelude that do not allocate.
pub(crate) static HARMLESS_PRELUDE: Words = words!(
    "
    drop min max swap replace take transmute from_utf8 from_utf8_unchecked from_u32 black_box once empty fence size_of size_of_val align_of unreachable_unchecked null null_mut identity
    "
);

/// Macros that do not allocate where their arguments do not, and what fails in them aside.
pub(crate) static HARMLESS_MACROS: Words = words!(
    "
    assert assert_eq assert_ne debug_assert debug_assert_eq debug_assert_ne matches unreachable panic todo unimplemented try r#try
    cfg line column file module_path concat stringify env option_env include_bytes include_str addr_of addr_of_mut ready offset_of
    "
);
