/* A C library whose elementary functions round otherwise: half of their results are one unit in the last place off.
   Preloaded, it stands for every other machine's C library (see test_repeatability.py). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static double moved(double result, double x, double y) {
    uint64_t a, b;
    memcpy(&a, &x, 8);
    memcpy(&b, &y, 8);
    uint64_t h = (a ^ (b * 0x9E3779B97F4A7C15u)) * 0xBF58476D1CE4E5B9u;
    h ^= h >> 31;
    int64_t bits;
    memcpy(&bits, &result, 8);
    int exact = (bits & 0x3FFFFFF) == 0 || result == rint(result); /* such as a power of two: right in every library */
    if (!isfinite(result) || exact || (h & 1)) return result;
    bits += (h & 2) ? 1 : -1;
    memcpy(&result, &bits, 8);
    return result;
}

#define ONE(name) double name(double x) { \
    static double (*real)(double); \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    return moved(real(x), x, 0.0); }
#define TWO(name) double name(double x, double y) { \
    static double (*real)(double, double); \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    return moved(real(x, y), x, y); }

ONE(sin) ONE(cos) ONE(tan) ONE(asin) ONE(acos) ONE(atan) ONE(sinh) ONE(cosh) ONE(tanh) ONE(asinh) ONE(acosh) ONE(atanh)
ONE(exp) ONE(exp2) ONE(expm1) ONE(log) ONE(log2) ONE(log10) ONE(log1p) ONE(cbrt)
TWO(pow) TWO(atan2) TWO(hypot)
