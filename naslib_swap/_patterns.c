/* The fast way to count sign patterns; see patterns.py for what is counted.

   Activations are read once, a block of values at a time: signs become bits, 32 samples make one
   plane of a key. Keys are marked in a table of flags (up to 16 bits), or kept and counted with a
   hash table that says where they are. All arrays belong to the caller, who passes their addresses.

   Signs are read off the bits of a float, as an integer: what is denormal has a sign even where the
   processor flushes it to zero. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if PY_BIG_ENDIAN
#error "the bytes of a key would be in another order than those that numpy packs"
#endif

#ifdef _MSC_VER
#define restrict __restrict
#endif

#if defined(__GNUC__) || defined(__clang__)
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(address) __builtin_prefetch(address, 1)
#else
#define INLINE static __forceinline
#define PREFETCH(address) (void)(address)
#endif

/* One binary for every processor: glibc picks the widest vectors that are there. */
#define CLONED
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#undef CLONED
#define CLONED __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#endif
#endif

/* Values of a block: long rows read faster, and a plane of their keys fits the first cache. */
#define BLOCK 4096
/* Keys that are looked up together: the slots fetched for them are still there when they are read. */
#define WINDOW 256

/* ---- signs to bits ------------------------------------------------------------------------- */

/* Unite `count` rows of signs with a plane, as bits from `shift` on; say whether NaN was met. */
typedef int (*Rows)(const char *rows, Py_ssize_t stride, int count, int shift, int n,
                    long long infinity, uint32_t *plane);

#define ROWS(NAME, TYPE, SIGN, IS_NAN)                                                           \
    CLONED static int NAME(const char *restrict rows, Py_ssize_t stride, int count, int shift,   \
                           int n, long long infinity, uint32_t *restrict plane)                  \
    {                                                                                            \
        const TYPE limit = (TYPE)infinity;                                                       \
        uint32_t nan = 0;                                                                        \
        int j = 0;                                                                               \
        for (; j + 4 <= count; j += 4) {                                                         \
            const TYPE *restrict a = (const TYPE *)(rows + (j + 0) * stride);                    \
            const TYPE *restrict b = (const TYPE *)(rows + (j + 1) * stride);                    \
            const TYPE *restrict c = (const TYPE *)(rows + (j + 2) * stride);                    \
            const TYPE *restrict d = (const TYPE *)(rows + (j + 3) * stride);                    \
            for (int i = 0; i < n; i++) {                                                        \
                uint32_t bits = (SIGN(a[i]) ? 1u : 0u) | (SIGN(b[i]) ? 2u : 0u)                  \
                              | (SIGN(c[i]) ? 4u : 0u) | (SIGN(d[i]) ? 8u : 0u);                 \
                plane[i] |= bits << (shift + j);                                                 \
                nan |= (IS_NAN(a[i]) | IS_NAN(b[i]) | IS_NAN(c[i]) | IS_NAN(d[i])) ? 1u : 0u;    \
            }                                                                                    \
        }                                                                                        \
        for (; j < count; j++) {                                                                 \
            const TYPE *restrict a = (const TYPE *)(rows + j * stride);                          \
            for (int i = 0; i < n; i++) {                                                        \
                plane[i] |= (SIGN(a[i]) ? 1u : 0u) << (shift + j);                               \
                nan |= IS_NAN(a[i]) ? 1u : 0u;                                                   \
            }                                                                                    \
        }                                                                                        \
        (void)limit;                                                                             \
        return nan != 0;                                                                         \
    }

#define ABOVE(x) ((x) > 0)
#define BELOW_8(x) ((x) < 0)
/* Negative and not -0, whose bits are the one number that stays negative when negated. */
#define BELOW_16(x) ((int16_t)(0u - (uint16_t)(x)) > 0)
#define BELOW_32(x) ((int32_t)(0u - (uint32_t)(x)) > 0)
#define BELOW_64(x) ((int64_t)(UINT64_C(0) - (uint64_t)(x)) > 0)
#define NAN_16(x) (((x) & 0x7fff) > limit)
#define NAN_32(x) (((x) & INT32_C(0x7fffffff)) > limit)
#define NAN_64(x) (((x) & INT64_C(0x7fffffffffffffff)) > limit)
#define NEVER(x) 0

ROWS(above_8, int8_t, ABOVE, NEVER)
ROWS(below_8, int8_t, BELOW_8, NEVER)
ROWS(above_16, int16_t, ABOVE, NAN_16)
ROWS(below_16, int16_t, BELOW_16, NEVER)
ROWS(above_32, int32_t, ABOVE, NAN_32)
ROWS(below_32, int32_t, BELOW_32, NEVER)
ROWS(above_64, int64_t, ABOVE, NAN_64)
ROWS(below_64, int64_t, BELOW_64, NEVER)

/* An activation: [samples, values], values side by side, rows `stride` bytes apart. */
typedef struct {
    const char *data;
    Py_ssize_t stride, samples, values;
    int size;           /* of a value, in bytes: an integer if 1, else a float */
    long long infinity; /* its bits: what is larger, leaving the sign aside, is NaN */
    int is_signed;
    int planes; /* of a key */
    Rows above, below;
    int nan; /* whether it was met */
} Source;

static int min(Py_ssize_t a, Py_ssize_t b) { return (int)(a < b ? a : b); }
static int max(Py_ssize_t a, Py_ssize_t b) { return (int)(a > b ? a : b); }

/* Write the keys of n values: bit j is set where sample j is above 0, bit S + j where below. */
static void pack(Source *s, Py_ssize_t start, int n, uint32_t *keys)
{
    const char *data = s->data + start * s->size;
    uint32_t column[BLOCK];
    int samples = (int)s->samples;
    for (int p = 0; p < s->planes; p++) {
        uint32_t *plane = s->planes == 1 ? keys : column;
        int first = 32 * p, end = first + 32, bit = max(first, samples);
        memset(plane, 0, n * sizeof *plane);
        if (first < samples)
            s->nan |= s->above(data + first * s->stride, s->stride, min(end, samples) - first, 0,
                               n, s->infinity, plane);
        if (s->is_signed && end > samples)
            s->below(data + (bit - samples) * s->stride, s->stride, min(end, 2 * samples) - bit,
                     bit - first, n, s->infinity, plane);
        if (s->planes > 1)
            for (int i = 0; i < n; i++) keys[(size_t)i * s->planes + p] = plane[i];
    }
}

/* ---- the hash table ------------------------------------------------------------------------ */

/* The finaliser of splitmix64 (Steele et al. 2014). */
INLINE uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

INLINE uint64_t hash(const uint32_t *key, int planes)
{
    uint64_t mixed = 0;
    int p = 0;
    for (; p + 2 <= planes; p += 2)
        mixed = mix(mixed ^ (key[p] | (uint64_t)key[p + 1] << 32));
    return p < planes ? mix(mixed ^ key[p]) : mixed;
}

INLINE int is_same(const uint32_t *a, const uint32_t *b, int planes)
{
    uint32_t differs = 0;
    if (planes > 4) return !memcmp(a, b, planes * sizeof *a);
    for (int p = 0; p < planes; p++) differs |= a[p] ^ b[p];
    return !differs;
}

/* Put n keys, from `start` on, into a table of `size` slots with linear probing. A slot is zero while
   it is free, then half a tag, half the number of a key, from 1 on. The tag is the key itself if that
   is one plane, else 32 bits of its hash: keys of equal tags are compared. Return how many were new. */
INLINE Py_ssize_t put(const uint32_t *restrict keys, Py_ssize_t start, int n, const int planes,
                      uint64_t *restrict table, uint64_t size)
{
    uint64_t slots[WINDOW], entries[WINDOW];
    Py_ssize_t fresh = 0;
    for (int i = 0; i < n; i++) {
        const uint32_t *key = keys + (size_t)(start + i) * planes;
        uint64_t hashed = hash(key, planes);
        slots[i] = (hashed >> 32) * size >> 32;
        entries[i] = (planes == 1 ? *key : hashed) << 32 | (uint64_t)(start + i + 1);
        PREFETCH(table + slots[i]);
    }
    for (int i = 0; i < n; i++) {
        const uint32_t *key = keys + (size_t)(start + i) * planes;
        for (uint64_t slot = slots[i];; slot = slot + 1 < size ? slot + 1 : 0) {
            uint64_t there = table[slot];
            if (!there) {
                table[slot] = entries[i];
                fresh++;
                break;
            }
            if ((there ^ entries[i]) >> 32) continue;
            if (planes == 1 || is_same(keys + ((size_t)(uint32_t)there - 1) * planes, key, planes))
                break;
        }
    }
    return fresh;
}

/* ---- what Python calls --------------------------------------------------------------------- */

static int source(Source *s, unsigned long long data)
{
    s->data = (const char *)(uintptr_t)data;
    switch (s->size) {
    case 1: s->above = above_8, s->below = below_8; break;
    case 2: s->above = above_16, s->below = below_16; break;
    case 4: s->above = above_32, s->below = below_32; break;
    case 8: s->above = above_64, s->below = below_64; break;
    default: PyErr_Format(PyExc_ValueError, "got values of %d bytes", s->size); return 0;
    }
    s->planes = (int)((s->samples * (s->is_signed ? 2 : 1) + 31) / 32);
    s->nan = 0;
    return 1;
}

/* mark(data, stride, samples, values, size, infinity, signed, flags) -> whether NaN was met */
static PyObject *mark(PyObject *module, PyObject *args)
{
    Source s;
    unsigned long long data, flags_address;
    uint32_t keys[BLOCK];
    if (!PyArg_ParseTuple(args, "KnnniLpK", &data, &s.stride, &s.samples, &s.values, &s.size,
                          &s.infinity, &s.is_signed, &flags_address)
        || !source(&s, data))
        return NULL;
    uint8_t *flags = (uint8_t *)(uintptr_t)flags_address;
    for (Py_ssize_t start = 0; start < s.values; start += BLOCK) {
        int n = min(BLOCK, s.values - start);
        pack(&s, start, n, keys);
        for (int i = 0; i < n; i++) flags[keys[i]] = 1;
    }
    return PyBool_FromLong(s.nan);
}

/* pack(data, stride, samples, values, size, infinity, signed, keys) -> whether NaN was met */
static PyObject *pack_all(PyObject *module, PyObject *args)
{
    Source s;
    unsigned long long data, keys_address;
    if (!PyArg_ParseTuple(args, "KnnniLpK", &data, &s.stride, &s.samples, &s.values, &s.size,
                          &s.infinity, &s.is_signed, &keys_address)
        || !source(&s, data))
        return NULL;
    uint32_t *keys = (uint32_t *)(uintptr_t)keys_address;
    for (Py_ssize_t start = 0; start < s.values; start += BLOCK)
        pack(&s, start, min(BLOCK, s.values - start), keys + start * s.planes);
    return PyBool_FromLong(s.nan);
}

/* distinct(keys, count, planes, table, size) -> how many keys are distinct; the table was zero */
static PyObject *distinct(PyObject *module, PyObject *args)
{
    unsigned long long keys_address, table_address, size;
    Py_ssize_t count, fresh = 0;
    int planes;
    if (!PyArg_ParseTuple(args, "KniKK", &keys_address, &count, &planes, &table_address, &size))
        return NULL;
    if ((unsigned long long)count >= UINT32_MAX)
        return PyErr_Format(PyExc_OverflowError, "got %zd keys, expected less than 2^32", count);
    const uint32_t *keys = (const uint32_t *)(uintptr_t)keys_address;
    uint64_t *table = (uint64_t *)(uintptr_t)table_address;
    for (Py_ssize_t start = 0; start < count; start += WINDOW) {
        int n = min(WINDOW, count - start);
        switch (planes) {
        case 1: fresh += put(keys, start, n, 1, table, size); break;
        case 2: fresh += put(keys, start, n, 2, table, size); break;
        case 4: fresh += put(keys, start, n, 4, table, size); break;
        default: fresh += put(keys, start, n, planes, table, size);
        }
    }
    return PyLong_FromSsize_t(fresh);
}

static PyMethodDef methods[] = {
    {"mark", mark, METH_VARARGS, NULL},
    {"pack", pack_all, METH_VARARGS, NULL},
    {"distinct", distinct, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_patterns", NULL, 0, methods,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__patterns(void) { return PyModuleDef_Init(&definition); }
