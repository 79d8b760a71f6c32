/** What the suite's scenarios want to get back; the shapes are theirs, the samples are ours. */

/** One red pixel. */
export const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** A wave file without samples. */
export const wav = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=';

export const text = (said: string): { type: 'text'; text: string } => ({
  type: 'text',
  text: said,
});
export const image = { type: 'image', data: png, mimeType: 'image/png' } as const;
export const audio = { type: 'audio', data: wav, mimeType: 'audio/wav' } as const;

export const embedded = (
  uri: string,
  mimeType: string,
  content: string,
): { type: 'resource'; resource: { uri: string; mimeType: string; text: string } } => ({
  type: 'resource',
  resource: { uri, mimeType, text: content },
});

/** Results of the tools that only return something. */
export const plainTools = {
  test_simple_text: { content: [text('This is a simple text response for testing.')] },
  test_image_content: { content: [image] },
  test_audio_content: { content: [audio] },
  test_embedded_resource: {
    content: [
      embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'),
    ],
  },
  test_multiple_content_types: {
    content: [
      text('Multiple content types test:'),
      image,
      embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  },
  test_error_handling: {
    isError: true,
    content: [text('This tool intentionally returns an error for testing')],
  },
};

export const userMessage = <Content>(content: Content): { role: 'user'; content: Content } => ({
  role: 'user',
  content,
});

export const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
