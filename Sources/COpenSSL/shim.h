// Debian's OpenSSL. The functions below are its macros, which Swift can't see; no policy lives here.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>

static inline int eo_set_versions(SSL_CTX *context, int least, int most) {
    return SSL_CTX_set_min_proto_version(context, least) == 1 &&
           SSL_CTX_set_max_proto_version(context, most) == 1;
}

static inline void eo_enable_kernel_tls(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
}

static inline void eo_keep_no_sessions(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
}

static inline void eo_read_ahead(SSL_CTX *context, size_t buffer_bytes) {
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, buffer_bytes);
}

static inline void eo_release_buffers(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

/// The name that is asked for in the hello.
static inline int eo_ask_for_host(SSL *ssl, const char *host) {
    return SSL_set_tlsext_host_name(ssl, host) == 1;
}

/// The errno of an error of the system's; 0: it is another.
static inline int eo_system_error(unsigned long code) {
    return ERR_SYSTEM_ERROR(code) ? ERR_GET_REASON(code) : 0;
}

/// What the context's message callback is handed for this connection.
static inline void eo_set_message_argument(SSL *ssl, void *argument) {
    SSL_set_msg_callback_arg(ssl, argument);
}

static inline bool eo_kernel_sends(SSL *ssl) {
    return BIO_get_ktls_send(SSL_get_wbio(ssl));
}

static inline bool eo_kernel_receives(SSL *ssl) {
    return BIO_get_ktls_recv(SSL_get_rbio(ssl));
}
