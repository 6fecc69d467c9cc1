import { type Answer, json } from '../../support/answers.ts';

/** As Google answers: an absolute address of its own in a header, where the SDK sends the bytes. */
export const uploadStarted: Answer = (call, response) =>
  json({}, 200, {
    'x-goog-upload-url': `http://${call.headers.host}/upload/v1beta/files?upload_id=u1&upload_protocol=resumable`,
    'x-goog-upload-status': 'active',
  })(call, response);
