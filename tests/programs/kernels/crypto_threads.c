// SPDX-License-Identifier: Apache-2.0
// Threads on libcrypto: digests, HMAC, AES-GCM back and forth, key derivation, and signatures that each thread verifies with one
// shared public key. libcrypto locks, reference counts and initialises itself on first use, in all threads at once.
//
//   crypto_threads [blocks]
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include "selfcheck.h"

enum { kThreads = 4, kBlock = 64 << 10 };

static EVP_PKEY* g_key;
static long g_blocks;
static unsigned char g_digest[kThreads][32];

static void fill(unsigned char* block, uint64_t seed) {
  for (size_t i = 0; i < kBlock; i += 8) {
    seed = mix64(seed);
    memcpy(block + i, &seed, 8);
  }
}

static void encrypt(const unsigned char* key, const unsigned char* nonce, const unsigned char* in, unsigned char* out, unsigned char* tag) {
  EVP_CIPHER_CTX* c = EVP_CIPHER_CTX_new();
  int n;
  CHECK(c && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1);
  CHECK(EVP_EncryptUpdate(c, out, &n, in, kBlock) == 1 && n == kBlock && EVP_EncryptFinal_ex(c, out + n, &n) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
  EVP_CIPHER_CTX_free(c);
}

// 1: the tag is right.
static int decrypt(const unsigned char* key, const unsigned char* nonce, const unsigned char* in, unsigned char* out, unsigned char* tag) {
  EVP_CIPHER_CTX* c = EVP_CIPHER_CTX_new();
  int n;
  CHECK(c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1);
  CHECK(EVP_DecryptUpdate(c, out, &n, in, kBlock) == 1 && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1);
  const int right = EVP_DecryptFinal_ex(c, out + n, &n);
  EVP_CIPHER_CTX_free(c);
  return right > 0;
}

static void sign_and_verify(const unsigned char* data, size_t size) {
  unsigned char signature[64];
  size_t length = sizeof signature;
  EVP_MD_CTX* c = EVP_MD_CTX_new();
  CHECK(c && EVP_DigestSignInit(c, NULL, NULL, NULL, g_key) == 1 && EVP_DigestSign(c, signature, &length, data, size) == 1);
  EVP_MD_CTX_free(c);
  for (int changed = 0; changed < 2; changed++) {
    signature[5] ^= (unsigned char)changed;
    c = EVP_MD_CTX_new();
    CHECK(c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, g_key) == 1);
    CHECK((EVP_DigestVerify(c, signature, length, data, size) == 1) == !changed);
    EVP_MD_CTX_free(c);
  }
}

static void* run(void* argument) {
  const uintptr_t me = (uintptr_t)argument;
  unsigned char *plain = malloc(kBlock), *sealed = malloc(kBlock), *again = malloc(kBlock), key[32], nonce[12] = {0}, tag[16], mac[32];
  CHECK(plain && sealed && again);
  CHECK(PKCS5_PBKDF2_HMAC("word", 4, (const unsigned char*)&me, sizeof me, 2000, EVP_sha256(), sizeof key, key) == 1);
  EVP_MD_CTX* all = EVP_MD_CTX_new();
  CHECK(all && EVP_DigestInit_ex(all, EVP_sha3_256(), NULL) == 1);
  for (long b = 0; b < g_blocks; b++) {
    fill(plain, me << 32 | (uint64_t)b);
    memcpy(nonce, &b, sizeof b);
    encrypt(key, nonce, plain, sealed, tag);
    CHECK(decrypt(key, nonce, sealed, again, tag) && memcmp(plain, again, kBlock) == 0);
    tag[3] ^= 1;
    CHECK(!decrypt(key, nonce, sealed, again, tag));
    unsigned size = sizeof mac;
    CHECK(HMAC(EVP_sha256(), key, sizeof key, sealed, kBlock, mac, &size) && size == sizeof mac);
    if (b % 8 == 0) sign_and_verify(mac, sizeof mac);
    CHECK(EVP_DigestUpdate(all, sealed, kBlock) == 1 && EVP_DigestUpdate(all, mac, sizeof mac) == 1);
  }
  unsigned size = sizeof g_digest[me];
  CHECK(EVP_DigestFinal_ex(all, g_digest[me], &size) == 1);
  EVP_MD_CTX_free(all);
  free(plain), free(sealed), free(again);
  return NULL;
}

int main(int argc, char** argv) {
  g_blocks = number_argument(argc, argv, 1, 300);
  const unsigned char secret[32] = {42, 1, 2, 3};
  g_key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof secret);
  CHECK(g_key);
  start_and_join(kThreads, run);
  EVP_PKEY_free(g_key);
  for (int i = 0; i < kThreads; i++) {
    for (int b = 0; b < 32; b++) printf("%02x", g_digest[i][b]);
    printf("\n");
  }
  return 0;
}
